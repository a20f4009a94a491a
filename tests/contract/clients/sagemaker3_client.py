"""The same as `sagemaker2_client`, with version 3 of the SageMaker Python SDK, whose endpoints and local mode are in
`sagemaker-core`. Run in an environment that has that."""

import json
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
from botocore.exceptions import ClientError
from sagemaker.core.deserializers import (
    BaseDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
    NumpyDeserializer,
)
from sagemaker.core.local import LocalSession
from sagemaker.core.resources import Endpoint
from sagemaker.core.serializers import (
    BaseSerializer,
    CSVSerializer,
    JSONLinesSerializer,
    JSONSerializer,
    NumpySerializer,
)

TEXTS = ["a good film", "bad"]
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
# As boto3 calls what an endpoint is told.
NAMES = {"target_variant": "TargetVariant", "custom_attributes": "CustomAttributes", "inference_id": "InferenceId"}
BOTO = boto3.Session("AKIDEXAMPLE", "nobodys", region_name="us-east-1")


class OnEndpoint:
    """Through boto3."""

    def __init__(self, name: str) -> None:
        self._name = name

    def ask(self, body: Any, serializer: BaseSerializer, deserializer: BaseDeserializer, **told: str) -> Any:
        endpoint = Endpoint(endpoint_name=self._name, serializer=serializer, deserializer=deserializer)
        kinds = {"content_type": serializer.CONTENT_TYPE, "accept": deserializer.ACCEPT[0]}
        return endpoint.invoke(body=body, session=BOTO, region="us-east-1", **kinds, **told).body


class InLocalMode:
    """As local mode asks a container."""

    def __init__(self, url: str) -> None:
        self._client = LocalSession(BOTO).sagemaker_runtime_client
        self._client.config = {"local": {"serving_port": urlsplit(url).port}}

    def ask(self, body: Any, serializer: BaseSerializer, deserializer: BaseDeserializer, **told: str) -> Any:
        kinds = {"ContentType": serializer.CONTENT_TYPE, "Accept": deserializer.ACCEPT[0]}
        named = {NAMES[name]: value for name, value in told.items()}
        answer = self._client.invoke_endpoint(serializer.serialize(body), "local", **kinds, **named)
        return deserializer.deserialize(answer["Body"], answer["ContentType"])


def main() -> None:
    url, endpoint, mode = sys.argv[1:]
    os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = url
    asked = OnEndpoint(endpoint) if mode == "boto3" else InLocalMode(url)
    as_json, as_csv = (JSONSerializer(), JSONDeserializer()), (CSVSerializer(), CSVDeserializer())
    dense = {"target_variant": "dense"}
    found: dict[str, Any] = {
        "json": asked.ask({"inputs": TEXTS}, *as_json, **dense),
        "csv": asked.ask([[text] for text in TEXTS], *as_csv, **dense),
        "csv_texts": asked.ask(TEXTS, *as_csv, **dense),
        "csv_pair": asked.ask([TEXTS], *as_csv, **dense),
        "lines": asked.ask(
            [{"inputs": text} for text in TEXTS], JSONLinesSerializer(), JSONLinesDeserializer(), **dense
        ),
        "numpy": asked.ask(ARRAY, NumpySerializer(), NumpyDeserializer(), target_variant="arrays").tolist(),
        "attributed": asked.ask({"inputs": TEXTS}, *as_json, custom_attributes="trace=7", inference_id="42", **dense),
    }
    try:
        found["refused"] = asked.ask({"inputs": 1}, *as_json, **dense)
    except ClientError as exc:
        found["refused"] = {key: exc.response.get(key) for key in ("Error", "OriginalStatusCode", "OriginalMessage")}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
