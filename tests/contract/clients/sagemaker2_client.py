"""Asks as users of the SageMaker Python SDK do, and tells what came of it: `ADDRESS ENDPOINT local`, as its local
mode asks a container, or `ADDRESS ENDPOINT boto3`. Run in an environment that has `sagemaker` of version 2."""

import json
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
from botocore.exceptions import ClientError
from sagemaker.base_deserializers import (
    BaseDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
    NumpyDeserializer,
)
from sagemaker.base_serializers import (
    BaseSerializer,
    CSVSerializer,
    JSONLinesSerializer,
    JSONSerializer,
    NumpySerializer,
)
from sagemaker.local import LocalSession
from sagemaker.predictor import Predictor
from sagemaker.session import Session

TEXTS = ["a good film", "bad"]
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def session_of(url: str, mode: str) -> Session:
    boto = boto3.Session("AKIDEXAMPLE", "nobodys", region_name="us-east-1")
    if mode == "boto3":
        os.environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = url
        return Session(boto)
    session = LocalSession(boto)
    session.sagemaker_runtime_client.config = {"local": {"serving_port": urlsplit(url).port}}
    return session


def main() -> None:
    url, endpoint, mode = sys.argv[1:]
    session = session_of(url, mode)

    def predictor(serializer: BaseSerializer, deserializer: BaseDeserializer) -> Predictor:
        return Predictor(endpoint, session, serializer, deserializer)

    as_json = predictor(JSONSerializer(), JSONDeserializer())
    as_csv = predictor(CSVSerializer(), CSVDeserializer())
    lines = predictor(JSONLinesSerializer(), JSONLinesDeserializer())
    arrays = predictor(NumpySerializer(), NumpyDeserializer())
    found: dict[str, Any] = {
        "json": as_json.predict({"inputs": TEXTS}, target_variant="dense"),
        "csv": as_csv.predict([[text] for text in TEXTS], target_variant="dense"),
        "csv_texts": as_csv.predict(TEXTS, target_variant="dense"),
        "csv_pair": as_csv.predict([TEXTS], target_variant="dense"),
        "lines": lines.predict([{"inputs": text} for text in TEXTS], target_variant="dense"),
        "numpy": arrays.predict(ARRAY, target_variant="arrays").tolist(),
        "attributed": as_json.predict(
            {"inputs": TEXTS}, target_variant="dense", custom_attributes="trace=7", inference_id="42"
        ),
    }
    try:
        found["refused"] = as_json.predict({"inputs": 1}, target_variant="dense")
    except ClientError as exc:
        found["refused"] = {key: exc.response.get(key) for key in ("Error", "OriginalStatusCode", "OriginalMessage")}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
