"""The context of SageMaker's toolkits: what it says of a request, and what it sets of the answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers.own_code.context import Context, Exchange, answering
from model_store.errors import BackendError

CONTEXT = Context("/opt/ml/model", {"variant": "mine"})
HEADERS = {"content-type": "application/json", "accept": "*/*", "x-amzn-sagemaker-custom-attributes": "a=b"}


def test_it_says_where_it_runs() -> None:
    assert (CONTEXT.model_name, CONTEXT.model_dir, CONTEXT.manifest["variant"]) == ("mine", "/opt/ml/model", "mine")
    assert CONTEXT.system_properties["model_dir"] == "/opt/ml/model"
    assert CONTEXT.system_properties["gpu_id"] is None
    assert Context("d", {}, gpu_id=0).system_properties["gpu_id"] == 0


def test_it_has_the_headers_of_the_request_however_their_names_are_written() -> None:
    with answering(Exchange(HEADERS)):
        assert CONTEXT.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes") == "a=b"
        assert CONTEXT.get_request_header(0, "Nothing") is None
        properties = CONTEXT.get_all_request_header(0)
        assert (properties["Content-Type"], "ACCEPT" in properties) == ("application/json", True)
        assert CONTEXT.request_processor is not None
        assert CONTEXT.request_processor[0].get_request_properties() == HEADERS
        assert (CONTEXT.request_content_type, CONTEXT.accept_header) == ("application/json", "*/*")
        assert CONTEXT.custom_attributes == "a=b"


def test_what_is_set_of_the_answer_is_kept_with_the_request() -> None:
    exchange = Exchange({})
    with answering(exchange):
        assert CONTEXT.get_response_status(0) == (200, "")
        CONTEXT.set_response_status(202, "Later")
        CONTEXT.set_response_header(0, "X-Mine", "1")
        CONTEXT.set_response_content_type(0, "text/plain")
        assert CONTEXT.get_response_status(0) == (202, "Later")
        assert CONTEXT.get_response_content_type(0) == "text/plain"
    assert (exchange.status, exchange.answer_headers) == (202, {"x-mine": "1", "content-type": "text/plain"})


@pytest.mark.parametrize("code", [99, 600, "200", None])
def test_a_status_that_is_none_is_refused(code: int) -> None:
    with answering(Exchange({})), pytest.raises(ValueError, match="is no status"):
        CONTEXT.set_response_status(code)


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-A", "a\r\nB: c"), ("X A", "a"), ("", "a"), ("X-A", "\u20ac"), ("X-A", 1), ("Content-Length", "1")],
)
def test_a_header_that_is_none_or_the_servers_own_is_refused(name: str, value: str) -> None:
    with answering(Exchange({})), pytest.raises(ValueError, match="header"):
        CONTEXT.set_response_header(0, name, value)


def test_each_thread_is_about_its_own_request() -> None:
    def header(value: str) -> str | None:
        with answering(Exchange({"x-mine": value})):
            return CONTEXT.get_request_header(0, "X-Mine")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(header, "abcdefgh")) == list("abcdefgh")


def test_without_a_request_there_is_none() -> None:
    assert (CONTEXT.request_processor, CONTEXT.request_ids, CONTEXT.get_request_id()) == (None, None, None)
    with pytest.raises(BackendError, match="knows no request 0"):
        CONTEXT.get_request_header(0, "Accept")
    with answering(Exchange({}, "one")), pytest.raises(BackendError, match="knows no request 1"):
        CONTEXT.get_request_header(1, "Accept")


def test_metrics_may_be_added() -> None:
    for add in (CONTEXT.metrics.add_time, CONTEXT.metrics.add_size, CONTEXT.metrics.add_counter):
        add("mine", 1)
    CONTEXT.metrics.add_percent("mine", 50.0)
    CONTEXT.metrics.add_error("mine", "reason")
    CONTEXT.metrics.add_metric("mine", 1.0, "ms")
