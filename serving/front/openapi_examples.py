"""Requests that `/openapi.json` shows. One with `x-status` is answered with that, others with 200."""

from typing import Any

TEXT, PAIR = "a charming film", {"text": "a charming film", "text_pair": "a bleak film"}
QUESTIONS: dict[str, Any] = {
    "text": {"value": {"inputs": TEXT}},
    "texts": {"value": {"inputs": [TEXT, "a bleak film"]}},
    "pair": {"value": {"inputs": PAIR}},
    "pairs": {"value": {"inputs": [["a charming film", "a bleak film"], PAIR]}},
    "all_labels": {"value": {"inputs": TEXT, "parameters": {"top_k": None}}},
    "numbers_of_the_network": {"value": {"inputs": [TEXT], "parameters": {"function_to_apply": "none"}}},
    "empty": {"value": {"inputs": ""}, "x-status": 400},
}
LINES: dict[str, Any] = {"texts": {"value": '"a charming film"\n{"inputs": "a bleak film"}\n'}}
TABLE: dict[str, Any] = {"texts": {"value": 'text\na charming film\n"bleak, and long"\n'}}
TENSOR = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
INFERENCES: dict[str, Any] = {
    "text": {"value": {"id": "7", "inputs": [TENSOR]}},
    "one_output": {"value": {"inputs": [TENSOR], "outputs": [{"name": "label"}]}},
    "wrong_shape": {"value": {"inputs": [TENSOR | {"shape": [2]}]}, "x-status": 400},
}
