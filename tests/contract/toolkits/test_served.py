"""What the user's own code says of its answers, as clients of a server get it."""

from pathlib import Path

import pytest

from tests.handlers.variants import write_code
from tests.serving.front_server import front, spec

CODE = """
import handlers
import numpy

class Refused(Exception):
    status_code = 422

def model_fn(model_dir): return handlers.SCALE

def predict_fn(data, model, context):
    if "refuse" in data:
        raise Refused("no verbs, please")
    attributes = context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
    context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", attributes + ";seen")
    context.set_response_status(int(data["status"]))
    return {"scores": model * numpy.ones(2, numpy.float32)}
"""


@pytest.mark.timeout(300)
def test_headers_statuses_and_arrays_reach_the_client(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "mine", CODE)
    (folder / "code" / "handlers.py").write_text("SCALE = 3\n")
    headers = {"X-Amzn-SageMaker-Custom-Attributes": "trace=7"}
    with front([spec(folder, "python")]) as server:
        answer = server.http.post("/invocations", json={"status": 202}, headers=headers)
        refused = server.http.post("/invocations", json={"refuse": 1}, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"scores": [3, 3]})
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=7;seen"
    assert refused.status_code == 422
    assert refused.json() == {"error": "no verbs, please", "type": "OwnCodeError"}
