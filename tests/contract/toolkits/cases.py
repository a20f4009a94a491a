"""User scripts and a request to each, for SageMaker's published toolkits and for us."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"


@dataclass(frozen=True, slots=True)
class Case:
    """`why` is the reason of what is different here from a toolkit, if anything is.

    `content_type` and `accept` are None where the client sends no such header.
    """

    name: str
    code: str
    body: bytes = b'{"inputs": "a film"}'
    content_type: str | None = JSON
    accept: str | None = JSON
    why: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        told = {"Content-Type": self.content_type, "Accept": self.accept}
        return {name: value for name, value in told.items() if value is not None} | dict(self.headers)

    @property
    def all_files(self) -> dict[str, str]:
        """Contents by names in `code/`."""
        return {self.environment.get("SAGEMAKER_PROGRAM", "inference.py"): self.code, **self.files}


def predicts(what: str, *imports: str) -> str:
    """A script whose prediction is an expression of `data` and of the `model`, 2."""
    head = "".join(f"import {one}\n" for one in imports)
    return f"{head}def model_fn(model_dir): return 2\ndef predict_fn(data, model): return {what}\n"


def predicts_in(arguments: str, what: str) -> str:
    return f"def model_fn(model_dir): return 2\ndef predict_fn({arguments}): return {what}\n"


def writes(what: str) -> str:
    """A script whose `output_fn` returns an expression of the `prediction`, [1, 2], and of `accept`."""
    return predicts("[1, 2]") + f"def output_fn(prediction, accept): return {what}\n"


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


ALL = """import json
def model_fn(model_dir{c}): return {{"word": "film"}}
def input_fn(body, content_type{c}): return json.loads(body)["inputs"].split()
def predict_fn(data, model{c}): return [word == model["word"] for word in data]
def output_fn(prediction, accept{c}): return json.dumps({{"is": prediction}})
"""

STATUS = "class Refused(Exception):\n    status_code = 422\n" + predicts_in("data, model", "refuse()")
STATUS += "def refuse(): raise Refused('no verbs, please')\n"
TOOLKIT_ERROR = (
    "from sagemaker_inference.errors import BaseInferenceToolkitError\n"
    "def refuse(): raise BaseInferenceToolkitError(429, 'later', 'later')\n"
) + predicts("refuse()")
TOOLKIT_ENCODER = (
    "from sagemaker_inference import content_types, decoder, encoder\n"
    "def input_fn(body, kind): return decoder.decode(body, kind)\n"
    "def output_fn(prediction, accept): return encoder.encode(prediction, content_types.CSV), content_types.CSV\n"
) + predicts("data * 2")

REFUSAL = "A client's mistake is 400, 406 or 415 and a fault of the code 500; no answer has a traceback."
KWARGS = "`**kwargs` and what is optional stay empty: they are no parameters that must be filled."
HF_TUPLE = "A tuple is a body and its content type, as in the generic toolkit; Hugging Face's writes a list."
HF_DATA = (
    "Data is what both toolkits can use: numbers are arrays, objects and texts are Python's with `item` and `tolist`."
)
OUTPUT = "Arrays and tensors are written wherever numbers are."
ONE_TYPE = "`Accept` is read as HTTP has it, and the answer has one content type."
STATUS_WHY = "An error's own `status_code` (400 to 599) is the status, whatever its class; its message is the text."
LOADING = "What can be refused at start is refused there, with the reason, not at each request."
HF_ONLY = "Functions that only the generic toolkit knows are called."

CASES = (
    Case("all four functions", ALL.format(c="")),
    Case("all four functions with a context", ALL.format(c=", context")),
    Case("a context that is optional", ALL.format(c=", context=None")),
    Case("a context by another name", ALL.format(c=", _ctx")),
    Case("`**kwargs`", predicts_in("data, model, **kwargs", "[model, sorted(kwargs)]"), why=KWARGS),
    Case("a context and `**kwargs`", predicts_in("data, model, context=None, **kwargs", "model"), why=KWARGS),
    Case("a context by keyword only", predicts_in("data, model, *, context", "context.model_name"), why=KWARGS),
    Case("`*rest`", predicts_in("data, *rest", "rest[0]")),
    Case("optional parameters of its own", predicts_in("data, model, a=1, b=2", "[a, b]"), why=KWARGS),
    Case("too few parameters", predicts_in("data", "data"), why=LOADING),
    Case(
        "`transform_fn`",
        "def model_fn(d): return 2\ndef transform_fn(model, body, kind, accept): return body.upper()\n",
    ),
    Case(
        "`transform_fn` with a context, a tuple",
        "def model_fn(d): return 2\n"
        "def transform_fn(model, body, kind, accept, context): return f'{kind} {accept} {body}', 'text/plain'\n",
        why=HF_TUPLE,
    ),
    Case(
        "`transform_fn` and `output_fn`",
        writes("'x'") + "def transform_fn(model, body, kind, accept): return body\n",
    ),
    Case(
        "`pre_model_fn` and `model_warmup_fn`",
        "calls = []\ndef pre_model_fn(d): calls.append('pre')\ndef model_fn(d): calls.append('model'); return calls\n"
        "def model_warmup_fn(d, model): model.append('warm')\ndef predict_fn(data, model): return model\n",
        why=HF_ONLY,
    ),
    Case("`output_fn`: a text", writes("str(prediction)")),
    Case("`output_fn`: bytes", writes("b'\\x00\\xff'"), accept="application/octet-stream"),
    Case("`output_fn`: a tuple", writes("('1;2', 'text/plain')"), why=HF_TUPLE),
    Case("`output_fn`: a tuple of three", writes("('1;2', 'text/plain', 'more')"), why=HF_TUPLE),
    Case("`output_fn`: a dict", writes("{'answer': prediction}")),
    Case("`output_fn`: an array", writes("__import__('numpy').array(prediction)"), why=OUTPUT),
    Case("`predict_fn`: a tuple", predicts("(1, 'a')")),
    Case("`predict_fn`: an array", predicts("numpy.array([[1.5, 2]])", "numpy")),
    Case(
        "`predict_fn`: NumPy's numbers in a dict", predicts("{'a': numpy.float32(0.5), 'b': numpy.int64(3)}", "numpy")
    ),
    Case("`predict_fn`: a tensor", predicts("torch.ones(1, 2, requires_grad=True)", "torch")),
    Case("`predict_fn`: a dict of tensors", predicts("{'logits': torch.tensor([[0.5, 1]])}", "torch")),
    Case("`predict_fn`: numbers as keys", predicts("{1: 'a', None: 'b'}")),
    Case("`predict_fn`: text beyond ASCII", predicts("'\u00fc\u4e2d'")),
    Case(
        "`predict_fn`: not a number",
        predicts("[float('nan')]"),
        why="JSON has no NaN: it is null. Clients that are strict could not read what the generic toolkit writes.",
    ),
    Case("an array as CSV", predicts("numpy.array([[1, 2], [3, 4]])", "numpy"), accept=CSV, why=OUTPUT),
    Case("a tensor as CSV", predicts("torch.tensor([0.1, 1])", "torch"), accept=CSV, why=OUTPUT),
    Case(
        "objects as CSV",
        predicts("[{'label': 'a', 'score': 1}, {'label': 'b, c', 'score': 2}]"),
        accept=CSV,
        why="Objects have a header and a row each, as with Hugging Face's toolkit; the generic one writes `repr`.",
    ),
    Case("an array as NPY", predicts("numpy.array([1.5])", "numpy"), accept=NPY),
    Case("Accept of several types", predicts("[1, 2]"), accept="text/html, text/csv, application/json", why=ONE_TYPE),
    Case("Accept with weights", predicts("[1, 2]"), accept="text/csv;q=0.1, application/json;q=0.9", why=ONE_TYPE),
    Case("Accept with a parameter", predicts("[1, 2]"), accept="application/json; charset=utf-8", why=ONE_TYPE),
    Case("Accept of anything", predicts("[1, 2]"), accept="*/*"),
    Case("no Accept", predicts("[1, 2]"), accept=None),
    Case("Accept of what nobody writes", predicts("[1, 2]"), accept="text/html", why=REFUSAL),
    Case(
        "`output_fn` and Accept of several types", writes("accept"), accept="text/csv, application/json", why=ONE_TYPE
    ),
    Case(
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
        predicts("[1, 2]"),
        accept=None,
        environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": CSV},
        why="Hugging Face's toolkit does not read it.",
    ),
    Case("JSON numbers", predicts("[list(data.shape), float(data.sum())]"), b"[[1, 2], [3, 4.5]]", why=HF_DATA),
    Case("JSON texts", predicts("data.tolist() + [len(data)]"), b'["a", "b"]', why=HF_DATA),
    Case("a JSON object as a dict", predicts("[data['inputs'], isinstance(data, dict)]"), why=HF_DATA),
    Case("a JSON object as an array", predicts("data.item()['inputs']"), why=HF_DATA),
    Case("JSON that is none", predicts("1"), b'{"inputs": ', why=REFUSAL),
    Case(
        "JSON with a character set",
        predicts("data.sum()"),
        b"[1, 2]",
        "application/json; charset=utf-8",
        why="Parameters of a content type say nothing about how JSON is read.",
    ),
    Case("CSV numbers", predicts("data.sum()"), b"1,2\n3,4\n", CSV, why=HF_DATA),
    Case("CSV texts", predicts("data.tolist()"), b"good\nbad\n", CSV, why=HF_DATA),
    Case(
        "CSV with a header",
        predicts("data['inputs']"),
        b'inputs\n"good, cheap"\nbad\n',
        CSV,
        why="A header with `inputs`, `question` or `context` makes objects of the rows, as in Hugging Face's toolkit.",
    ),
    Case("NPY", predicts("data.tolist()"), npy(np.array([[1, 2]])), NPY),
    Case(
        "NPY with pickled objects",
        predicts("data.tolist()"),
        npy(np.array([{"a": 1}], dtype=object)),
        NPY,
        why="Nothing is ever unpickled for a client: a pickle can run any code.",
    ),
    Case("a type that nobody reads", predicts("1"), b"<a/>", "application/xml", why=REFUSAL),
    Case(
        "bytes to `input_fn`",
        predicts("data") + "def input_fn(body, kind): return [kind, type(body).__name__]\n",
        b"\xff",
        "image/png",
    ),
    Case(
        "parts to `input_fn`",
        predicts("data") + "def input_fn(body, kind): return kind\n",
        b"--x--",
        "multipart/form-data; boundary=x",
    ),
    Case(
        "no content type to `input_fn`",
        predicts("data") + "import json\ndef input_fn(body, kind): return json.loads(body.decode())['inputs']\n",
        content_type=None,
    ),
    Case("an error of `predict_fn`", predicts("1 / 0"), why=REFUSAL),
    Case(
        "an error of `input_fn`",
        predicts("data") + "def input_fn(body, kind): raise ValueError('no verbs')\n",
        why=REFUSAL,
    ),
    Case("an error with a `status_code`", STATUS, why=STATUS_WHY),
    Case("an error of the generic toolkit's", TOOLKIT_ERROR, why=STATUS_WHY),
    Case("the generic toolkit's decoder and encoder", TOOLKIT_ENCODER, b"[1, 2]", why=HF_TUPLE),
    Case(
        "`sys.exit` in `predict_fn`",
        predicts("sys.exit(3)", "sys"),
        why="One request's end is not the worker's: the request is answered 500, and the others go on.",
    ),
    Case(
        "a header of the request",
        predicts_in("data, model, context", "context.get_request_header(0, 'X-Amzn-SageMaker-Custom-Attributes')"),
        headers={"X-Amzn-SageMaker-Custom-Attributes": "trace=7"},
    ),
    Case(
        "a status and a header of the answer",
        "def model_fn(d): return 2\ndef predict_fn(data, model, context):\n"
        "    context.set_response_status(202, 'Later')\n"
        "    context.set_response_header(0, 'X-Amzn-SageMaker-Custom-Attributes', 'a=b')\n"
        "    return model\n",
    ),
    Case("where it runs", predicts_in("data, model, context", "sorted(context.system_properties)")),
    Case(
        "SAGEMAKER_PROGRAM",
        predicts("model + 1"),
        environment={"SAGEMAKER_PROGRAM": "train_deploy.py"},
    ),
    Case(
        "modules called `handlers` and `serving`",
        predicts("[handlers.ONE, TWO]").replace("def model", "import handlers\nfrom serving import TWO\ndef model", 1),
        files={"handlers.py": "from serving import TWO\nONE = TWO - 1\n", "serving.py": "TWO = 2\n"},
    ),
)
