"""What the user's own functions are told of a request, and can set of its answer: the context of SageMaker's toolkits.

Its members are those of the model server that the toolkits run on, and those that TensorFlow's toolkit has.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from handlers.own_code.headers import is_header, is_ours
from model_store.errors import BackendError

log = logging.getLogger("paretoserve.own_code")


class RequestHeaders(dict[str, str]):
    """Headers by their names, however those are written."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__((name.lower(), value) for name, value in headers.items())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class Exchange:
    """One request's headers, and what the user's functions set of its answer: its status, and further headers.

    The methods are those of the toolkits' `context.request_processor[0]`.
    """

    def __init__(self, headers: Mapping[str, str], request_id: str = "") -> None:
        self.headers, self.request_id = RequestHeaders(headers), request_id
        self.status, self.phrase = 0, ""
        self.answer_headers: dict[str, str] = {}

    def get_request_property(self, key: str) -> str | None:
        found: str | None = self.headers.get(key)
        return found

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def report_status(self, code: int, reason_phrase: str | None = None) -> None:
        if not isinstance(code, int) or not 200 <= code <= 599:
            raise ValueError(f"{code!r} is no status of an answer; give one from 200 to 599")
        self.status, self.phrase = int(code), reason_phrase or ""

    def get_response_status_code(self) -> int:
        return self.status or 200

    def get_response_status_phrase(self) -> str:
        return self.phrase

    def add_response_property(self, key: str, value: str) -> None:
        if not is_header(key, value):
            raise ValueError(f"{key!r}: {value!r} is no header; give a name, and a value in Latin-1 on one line")
        if is_ours(key):
            raise ValueError(f"{key!r} is the server's own header; leave it out")
        self.answer_headers[key.lower()] = value

    def get_response_headers(self) -> dict[str, str]:
        return self.answer_headers

    def get_response_header(self, key: str) -> str | None:
        return self.answer_headers.get(key.lower())


_current: ContextVar[tuple[Exchange, ...]] = ContextVar("exchanges", default=())


@contextmanager
def answering(*exchanges: Exchange | None) -> Iterator[None]:
    """What is called within is about these requests, for every context; about none where they are None."""
    token = _current.set(tuple(one for one in exchanges if one is not None))
    try:
        yield
    finally:
        _current.reset(token)


class Metrics:
    """The toolkits' `context.metrics`: each is a line of the server's log, at debug."""

    def add_metric(self, name: str, value: float, unit: str, idx: int | None = None, dimensions: Any = None) -> None:
        log.debug("metric of the variant's own code", extra={"metric": str(name), "value": value, "unit": str(unit)})

    def add_counter(self, name: str, value: int, idx: int | None = None, dimensions: Any = None) -> None:
        self.add_metric(name, value, "count")

    def add_time(
        self, name: str, value: float, idx: int | None = None, unit: str = "ms", dimensions: Any = None
    ) -> None:
        self.add_metric(name, value, unit)

    def add_size(
        self, name: str, value: float, idx: int | None = None, unit: str = "MB", dimensions: Any = None
    ) -> None:
        self.add_metric(name, value, unit)

    def add_percent(self, name: str, value: float, idx: int | None = None, dimensions: Any = None) -> None:
        self.add_metric(name, value, "percent")

    def add_error(self, name: str, value: Any, dimensions: Any = None) -> None:
        self.add_metric(name, 0, str(value))


class Context:
    """One for a worker, as the toolkits have it; what it says of requests is that of those being answered.

    There are several where `predict_batch_fn` is called, each at its place in the list of data.
    """

    def __init__(self, model_dir: str, manifest: dict[str, Any], *, gpu_id: int | None = None) -> None:
        self.model_dir, self.manifest = model_dir, manifest
        self.model_name = str(manifest.get("variant", "model"))
        self.system_properties: dict[str, Any] = {
            "model_dir": model_dir,
            "gpu_id": gpu_id,
            "batch_size": 1,
            "server_name": "ParetoServe",
            "server_version": "",
        }
        self.metrics = Metrics()

    @property
    def request_processor(self) -> list[Exchange] | None:
        """The requests being answered, a list also of one, as the toolkits have it; None while the model is loaded."""
        return list(_current.get()) or None

    @property
    def request_ids(self) -> dict[int, str] | None:
        return {idx: one.request_id for idx, one in enumerate(_current.get())} or None

    def get_request_id(self, idx: int = 0) -> str | None:
        return (self.request_ids or {}).get(idx)

    def get_request_header(self, idx: int, key: str) -> str | None:
        return _exchange(idx).get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return _exchange(idx).get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        return _exchange(idx).get_response_header("content-type")

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        _exchange(idx).report_status(code, phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        for exchange in _current.get():
            exchange.report_status(code, phrase)

    def get_response_status(self, idx: int) -> tuple[int, str]:
        return _exchange(idx).get_response_status_code(), _exchange(idx).get_response_status_phrase()

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        _exchange(idx).add_response_property(key, value)

    def get_response_headers(self, idx: int) -> dict[str, str]:
        return _exchange(idx).get_response_headers()

    @property
    def request_content_type(self) -> str:
        return str(_exchange(0).headers.get("content-type", ""))

    @property
    def accept_header(self) -> str:
        return str(_exchange(0).headers.get("accept", ""))

    @property
    def custom_attributes(self) -> str:
        return str(_exchange(0).headers.get("x-amzn-sagemaker-custom-attributes", ""))


def _exchange(idx: int) -> Exchange:
    exchanges = _current.get()
    if not 0 <= idx < len(exchanges):
        raise BackendError(
            f"The context knows no request {idx} here; it knows those that are answered, {len(exchanges)} from 0 on."
        )
    return exchanges[idx]
