"""Runs in the environment of the published toolkits: what each answers to the cases on standard input.

Each case has a process of its own, forked once everything is imported. Imports nothing of ours.
"""

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import mms.service
from mms.service import Service
from sagemaker_huggingface_inference_toolkit.handler_service import HuggingFaceHandlerService
from sagemaker_inference.default_handler_service import DefaultHandlerService

SERVICES = {"generic": DefaultHandlerService, "huggingface": HuggingFaceHandlerService}


def answered(make: Any, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The answer of a toolkit, in the server that it runs on, less the sockets of that."""
    service, handler = Service("model", str(folder), {}, None, None, 1), make()
    service._entry_point = handler.handle
    captured: dict[str, Any] = {}

    def capture(ret: Any, ids: Any, message: str, code: int, context: Any = None) -> None:
        captured.update(ret=ret, code=code, context=context, message=message)

    mms.service.create_predict_response = capture
    handler.initialize(service.context)
    parameter = {"name": "body", "value": bytearray(base64.b64decode(case["body"])), "contentType": ""}
    headers = [{"name": name.encode(), "value": value.encode()} for name, value in case["headers"].items()]
    service.predict([{"requestId": b"one", "parameters": [parameter], "headers": headers}])
    if captured["context"] is None:
        return {"status": captured["code"], "type": "", "body": captured["message"]}
    status, _ = captured["context"].get_response_status(0)
    told = {name.lower(): value for name, value in captured["context"].get_response_headers(0).items()}
    body = captured["ret"][0]
    if not isinstance(body, str | bytes | bytearray):
        try:
            body = json.dumps(body, indent=2)
        except TypeError:
            return {"status": 503, "type": "", "body": "Unsupported model output data type."}
    text = body if isinstance(body, str) else bytes(body).decode("latin-1")
    if "Traceback" in text:  # the files and lines of a traceback differ from place to place
        text = f"{text.partition('Traceback')[0]}Traceback"
    kind = told.pop("content-type", "")
    return {"status": status, "type": kind, "body": text, "headers": told}


def run(make: Any, case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "code"
        code.mkdir()
        for name, source in case["files"].items():
            (code / name).write_text(source)
        os.environ.update(case["environment"])
        sys.path.insert(0, str(code))
        try:
            return answered(make, case, Path(folder))
        except BaseException as exc:  # noqa: BLE001  loading fails, or the worker would end
            return {"status": 0, "type": "", "body": f"{type(exc).__name__}: {exc}"}


def forked(make: Any, case: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    if not os.fork():
        os.close(reader)
        with os.fdopen(writer, "w") as file:
            json.dump(run(make, case), file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        told = file.read()
    os.wait()
    found: dict[str, Any] = json.loads(told)
    return found


def main() -> None:
    cases = json.load(sys.stdin)
    outcomes = {case["name"]: {name: forked(make, case) for name, make in SERVICES.items()} for case in cases}
    sys.stdout.write("\n" + json.dumps(outcomes))


if __name__ == "__main__":
    main()
