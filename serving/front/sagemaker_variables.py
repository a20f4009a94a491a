"""SageMaker's environment variables: what each means here. One table, which the documentation shows as well.

The names and their meanings elsewhere are of the toolkits `sagemaker-inference` 1.10 and
`sagemaker-pytorch-inference` 2.0, and of SageMaker's guide for containers and for batch transform.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from model_store.errors import ParetoServeError

Use = Literal["setting", "own code", "ignored"]

# The longest that a batch transform job may be told to wait for an answer (`InvocationsTimeoutInSeconds`).
BATCH_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, and what it is for here: a setting of the server, something that a variant's own code is told, or
    nothing, with the reason. `read` gives the settings that its text stands for; it raises ValueError."""

    name: str
    use: Use
    meaning: str
    read: Callable[[str], dict[str, Any]] | None = None


def _seconds(text: str) -> float:
    if (seconds := float(text)) <= 0:
        raise ValueError(text)
    return seconds


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


def _timeouts(text: str) -> dict[str, Any]:
    return {"execution_deadline_s": _seconds(text), "hang_timeout_s": _seconds(text)}


def _log_level(text: str) -> dict[str, Any]:
    levels = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "error"}
    return {"log_level": levels[int(text)]}


def _max_body(text: str) -> dict[str, Any]:
    # 0 lets a batch transform job send bodies of any length; the largest that it is documented to send are of 100 MB.
    return {"max_body_bytes": (int(text) or 100) * 2**20}


def _is_true(text: str) -> bool:
    return text.strip().lower() == "true"


def _batch(text: str) -> dict[str, Any]:
    """Nobody waits for an answer of a job as a person does, so requests are not refused but queued."""
    if not _is_true(text):
        return {}
    patience = ("queue_deadline_s", "execution_deadline_s", "hang_timeout_s", "body_timeout_s")
    return dict.fromkeys(patience, BATCH_TIMEOUT_S)


def _setting(name: str, meaning: str, read: Callable[[str], dict[str, Any]] | None = None) -> Variable:
    return Variable(name, "setting", meaning, read)


def _ignored(names: str, meaning: str) -> tuple[Variable, ...]:
    return tuple(Variable(name, "ignored", meaning) for name in names.split())


# Where two state the same setting, the later one counts.
VARIABLES: tuple[Variable, ...] = (
    _setting("SAGEMAKER_BIND_TO_PORT", "The port, before `PARETOSERVE_PORT`; read by `--port`."),
    _setting("SAGEMAKER_MULTI_MODEL", "`true`: an endpoint of many models; read by `--multi-model`."),
    _setting(
        "SAGEMAKER_BATCH",
        "`true`: a batch transform job. `--queue-deadline`, `--execution-deadline`, `--hang-timeout` and "
        "`--body-timeout` are an hour.",
        _batch,
    ),
    _setting(
        "SAGEMAKER_BATCH_STRATEGY",
        "With `SAGEMAKER_BATCH`: unless it is `SINGLE_RECORD`, a request may hold as many rows as its body has room "
        "for (`--max-inputs`).",
    ),
    _setting("SAGEMAKER_MAX_PAYLOAD_IN_MB", "`--max-body`, in MiB; 0 stands for 100.", _max_body),
    _setting(
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
        "`--max-queue`, where it is over that.",
        lambda text: {"max_queue": max(512, _count(text))},
    ),
    _setting(
        "SAGEMAKER_MODEL_SERVER_WORKERS",
        "`--workers`; of a multi-model endpoint, for each model.",
        lambda text: {"workers": _count(text)},
    ),
    _setting(
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",
        "`--execution-deadline` and `--hang-timeout`, in seconds.",
        _timeouts,
    ),
    _setting("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "The same, and counts before it.", _timeouts),
    _setting(
        "SAGEMAKER_STARTUP_TIMEOUT", "`--load-timeout`, in seconds.", lambda text: {"load_timeout_s": _seconds(text)}
    ),
    _setting("SAGEMAKER_CONTAINER_LOG_LEVEL", "`--log-level`, by Python's numbers: 10, 20, 30 or 40.", _log_level),
    Variable("SAGEMAKER_PROGRAM", "own code", "The module in `code/` with the variant's own functions."),
    Variable("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "own code", "What is answered where a request accepts anything."),
    Variable("SAGEMAKER_REGION", "own code", "A variant's own code can read it."),
    *_ignored("SAGEMAKER_SUBMIT_DIRECTORY", "Own code is looked for in `code/` of the model's folder."),
    *_ignored("SAGEMAKER_BASE_DIR", "A model's folder is `/opt/ml/model`, or what `PARETOSERVE_VARIANT` names."),
    *_ignored("SAGEMAKER_SAFE_PORT_RANGE", "No second port is opened."),
    *_ignored("SAGEMAKER_MODEL_SERVER_VMARGS", "There is no Java virtual machine to tell."),
    *_ignored("SAGEMAKER_HANDLER", "A model is loaded by what its folder holds."),
    *_ignored(
        "SAGEMAKER_TS_BATCH_SIZE SAGEMAKER_TS_MAX_BATCH_DELAY SAGEMAKER_TS_MIN_WORKERS SAGEMAKER_TS_MAX_WORKERS "
        "SAGEMAKER_TS_RESPONSE_TIMEOUT",
        "Requests share calls by their tokens, without waiting; see `--batch-tokens` and `--workers`.",
    ),
    *_ignored(
        "HF_TASK HF_MODEL_ID HF_MODEL_REVISION HF_API_TOKEN HF_TRUST_REMOTE_CODE HF_OPTIMUM_BATCH_SIZE "
        "HF_OPTIMUM_SEQUENCE_LENGTH",
        "Nothing is fetched from a hub, and a model's task stands in its folder.",
    ),
)
UNKNOWN = "It is none that this server knows; a variant's own code can read it."


def settings_from(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings that SageMaker's variables stand for, by the names of the fields of `Settings`.

    Raises:
        ParetoServeError: one of them has a value that it cannot have.
    """
    settings: dict[str, Any] = {}
    for variable in VARIABLES:
        if variable.read and (text := environment.get(variable.name)):
            try:
                settings |= variable.read(text)
            except (ValueError, KeyError) as exc:
                what_it_is = variable.meaning.partition(";")[0].rstrip(".")
                raise ParetoServeError(f"{variable.name}={text!r} cannot be read; it means: {what_it_is}.") from exc
    return settings | _rows(environment, settings)


def _rows(environment: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """How many rows a request of a batch transform job may hold: each has a byte and the end of its line."""
    is_batch = _is_true(environment.get("SAGEMAKER_BATCH", ""))
    if not is_batch or environment.get("SAGEMAKER_BATCH_STRATEGY", "").upper() in ("SINGLE_RECORD", "SINGLERECORD"):
        return {}
    return {"max_inputs": settings.get("max_body_bytes", 6 * 2**20) // 2}


def ignored_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables of the environment that change nothing, and why, in the order of the table."""
    known = {variable.name: variable for variable in VARIABLES}
    ignored = {one.name: one.meaning for one in VARIABLES if one.use == "ignored" and one.name in environment}
    strange = sorted(name for name in environment if name.startswith("SAGEMAKER_") and name not in known)
    return ignored | dict.fromkeys(strange, UNKNOWN)


def execution_parameters(max_body_bytes: int, calls_at_once: int) -> dict[str, Any]:
    """What a batch transform job is told that leaves it to the container: one request more at a time than calls, so
    that the engine need not wait for the next. Bodies that are sent at once are of 100 MB together at the most."""
    payload_mb = max(1, min(100, max_body_bytes >> 20))
    at_once = max(1, min(calls_at_once + 1, 100 // payload_mb))
    return {"MaxConcurrentTransforms": at_once, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": payload_mb}
