"""The model that every peer serves, run exactly as ParetoServe's own ONNX Runtime backend runs it.

Every peer's environment has this file's imports and no more of the project: numpy, onnxruntime, tokenizers.
"""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

Prediction = dict[str, Any]
"""`{"label": …, "score": …}`"""


class SharedModel:
    """One variant on ONNX Runtime with one thread: texts in, their best labels out, all in one padded batch.

    Call it in the thread that made it, or in one that was started after that: processors flush denormal numbers to
    zero in those threads only, and are much slower where they do not.
    """

    def __init__(self, variant: Path) -> None:
        manifest = json.loads((variant / "variant.json").read_text())
        # In schema 1 they stand beside the other fields.
        self._labels: list[str] = manifest.get("task_settings", manifest)["labels"]
        self._tokenizer = Tokenizer.from_file(str(variant / "tokenizer.json"))
        self._tokenizer.enable_truncation(manifest["max_tokens"])
        self._tokenizer.no_padding()
        self._session = _open(variant / manifest["artifacts"]["onnxruntime"]["file"])
        self._flushes = _flushes_denormals()
        self._checked = threading.local()

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        self._check_thread()
        encodings = [self._tokenizer.encode(text) for text in texts]
        inputs = padded([e.ids for e in encodings], [e.type_ids for e in encodings])
        (logits,) = self._session.run(["logits"], inputs)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponentials / exponentials.sum(axis=1, keepdims=True)
        best = scores.argmax(axis=1)
        return [{"label": self._labels[i], "score": float(row[i])} for i, row in zip(best, scores, strict=True)]

    def _check_thread(self) -> None:
        if not hasattr(self._checked, "ok"):
            if _flushes_denormals() != self._flushes:
                raise RuntimeError("This thread was started before the model was made; start it after.")
            self._checked.ok = True


def padded(ids: Sequence[Sequence[int]], type_ids: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """The inputs of a packed graph with one text in each row, padded to the longest."""
    rows, width = len(ids), max(map(len, ids))
    names = ("input_ids", "position_ids", "token_type_ids", "segment_ids")
    inputs = {name: np.zeros((rows, width), np.int64) for name in names}
    for i, (of_text, types) in enumerate(zip(ids, type_ids, strict=True)):
        tokens = len(of_text)
        inputs["input_ids"][i, :tokens] = of_text
        inputs["token_type_ids"][i, :tokens] = types
        inputs["position_ids"][i, :tokens] = np.arange(tokens)
        inputs["segment_ids"][i, :tokens] = 1
    return inputs | {"cls_index": np.arange(rows, dtype=np.int64) * width}


def _open(file: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(
        file, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )


def _flushes_denormals() -> bool:
    """Whether this thread computes with denormal numbers as if they were zero."""
    smallest_normal = np.array([np.finfo(np.float32).tiny], np.float32)
    return bool((smallest_normal * np.float32(0.5))[0] == 0.0)
