"""Hugging Face's transformers, eager PyTorch, as most write-ups serve a classifier: the baseline.

One request at a time, each text padded to `max_tokens`. It runs any sequence classifier that the library knows, from
its `config.json` and `model.safetensors`. Nothing is fetched and no code of a checkpoint is run.
"""

import inspect
import logging
import os
from dataclasses import replace
from typing import Any

# Before the import, which reads them. Everything that is needed lies in the variant's folder.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.torch import TorchSession, dtype_of, network_info
from handlers.tokens.padding import Grid
from model_store.errors import BackendError

# Progress bars and advice are for people at a keyboard; what goes wrong is raised.
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
logging.getLogger("transformers").setLevel(logging.ERROR)

_AS_IT_LIES: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
# What does not fit is for us to refuse, by name.
_WEIGHTS: dict[str, Any] = {"use_safetensors": True, "ignore_mismatched_sizes": True, "output_loading_info": True}

# In the order in which they are handed to the network, as far as it takes them: DistilBERT knows no token types.
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def open_session(artifact: ArtifactFile, placement: Placement) -> TorchSession:
    return padded_session("transformers", artifact, placement, Grid(width=artifact.max_tokens))


def padded_session(engine: str, artifact: ArtifactFile, placement: Placement, grid: Grid) -> TorchSession:
    """The classifier of a checkpoint folder, asked one request at a time in rows of the shapes of `grid`.

    Raises:
        BackendError: it cannot be loaded, or not in this precision.
    """
    # Its type does not tell of its arguments.
    model = _load(artifact).to(placement.device)  # type: ignore[arg-type]
    taken = inspect.signature(model.forward).parameters
    names = [name for name in _INPUTS if name in taken]
    info = replace(
        network_info(engine, model, placement),
        version=transformers.__version__,
        grid=grid,
        shares_calls=False,
        details={"architecture": type(model).__name__, "attention": model.config._attn_implementation},
    )
    return TorchSession(lambda *arrays: model(**dict(zip(names, arrays, strict=True))).logits, info, names)


def _load(artifact: ArtifactFile) -> PreTrainedModel:
    folder, name, dtype = artifact.path.parent, artifact.path.name, dtype_of(artifact)
    try:
        config = AutoConfig.from_pretrained(folder, **_AS_IT_LIES)
        _check(config, name)
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            folder, config=config, dtype=dtype, **_AS_IT_LIES, **_WEIGHTS
        )
    except BackendError:
        raise
    except Exception as exc:
        # Its message may run over many lines, and hold the whole path.
        reason = str(exc).strip().replace(str(folder), folder.name).splitlines()[:1]
        raise BackendError(f"transformers cannot load {name!r}: {''.join(reason) or type(exc).__name__}") from exc
    # It would make up random numbers for these.
    missing = sorted(loaded["missing_keys"]) + sorted(str(one[0]) for one in loaded["mismatched_keys"])
    if missing:
        raise BackendError(
            f"{name!r} has no weights that fit {', '.join(missing[:3])}{' …' if missing[3:] else ''}; give a "
            "checkpoint that was fine-tuned to classify."
        )
    return model  # type: ignore[no-any-return]


def _check(config: PreTrainedConfig, name: str) -> None:
    if config.pad_token_id is None:
        raise BackendError(f"{name!r} cannot be padded: give its config.json the pad_token_id of its tokenizer.")
    if _is_pruned(config):
        raise BackendError(
            f"transformers cannot run {name!r}, from whose layers heads or units were cut; serve the variant @torch, "
            "@onnxruntime or @openvino."
        )


def _is_pruned(config: PreTrainedConfig) -> bool:
    """Whether layers have lost heads or units, as a variant of ours tells: the library makes all layers alike."""
    heads, units = getattr(config, "heads_kept", None), getattr(config, "units_kept", None)
    return (heads is not None and {*heads} != {config.num_attention_heads}) or (
        units is not None and {*units} != {config.intermediate_size}
    )
