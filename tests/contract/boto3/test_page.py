"""The page about the local runtime: its code runs as it stands there."""

from typing import Any

import pytest

from docs.generate import DOCS
from paretoserve.sagemaker.emulator.description import endpoint_told
from serving.front.settings import VariantSpec
from tests.paretoserve.sagemaker.emulator.emulated import emulated
from tests.serving.front_server import front
from tests.shown import blocks

PAGE = DOCS / "sagemaker-local.md"


def test_the_code_of_the_page_runs_with_the_environment_that_it_names(
    echoes: list[VariantSpec], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = [block.text for block in blocks(PAGE) if block.language == "sh"]
    exported = [word for line in shell[1].splitlines() for word in line.removeprefix("export ").split()]
    (code,) = (block.text for block in blocks(PAGE) if block.language == "python")
    described = endpoint_told("sst2", ["blue"], [], None)
    with front(echoes[:1]) as server, emulated(described, str(server.http.base_url)) as url:
        for name, _, value in (word.partition("=") for word in exported):
            monkeypatch.setenv(name, url if name.startswith("AWS_ENDPOINT_URL") else value)
        told: dict[str, Any] = {}
        exec(compile(code, str(PAGE), "exec"), told)  # noqa: S102  our own page
        told["client"].close()
    assert capsys.readouterr().out.startswith("blue {'answered': 'a charming and funny film .'")
