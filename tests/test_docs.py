"""The documentation is in step with the code: its tables, its links, its commands, its requests and their answers."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from docs import generate, report_fields
from docs.generate import DOCS, PAGES, SECTIONS, commands, in_step
from handlers.backends.base import Placement
from handlers.handler import load_handler
from handlers.inferred import manifest_of
from handlers.payloads.request import RawRequest
from model_store.manifest import read_manifest
from model_store.rows import Data, Row, Split
from paretoserve.builds.build import BuildRequest, build_variant
from paretoserve.hosts.process import running_server
from recipes.data.rows import Columns
from tests.handlers.variants import write_code
from tests.loadtest.examples import two_candidates
from tests.shown import Exchange, ask, assert_answered, blocks, exchanges
from tests.tiny import TEXTS, tiny_checkpoint

ROOT = DOCS.parent
DOCUMENTS = (*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md")

by_path = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))


# Generated sections


@pytest.mark.parametrize("page", PAGES)
def test_generated_sections_are_in_step(page: str) -> None:
    text = (DOCS / page).read_text()
    assert in_step(text) == text, "run: python -m docs.generate"


def test_every_generated_section_stands_on_a_page() -> None:
    text = "".join((DOCS / page).read_text() for page in PAGES)
    assert all(f"<!-- generated: {name} -->" in text for name in SECTIONS)


def test_nothing_lacks_a_meaning() -> None:
    assert not [name for name, section in SECTIONS.items() if "|  |" in section()]


def test_every_field_of_the_report_has_a_meaning() -> None:
    every = [(one.__name__, field) for one in report_fields.objects() for field in report_fields.fields_of(one)]
    lacking = [f"{name}.{field.name}" for name, field in every if field.meaning == report_fields.NONE]
    assert not lacking, "give these a docstring"


def test_a_field_without_a_docstring_would_be_noticed() -> None:
    (field,) = report_fields.fields_of(Undescribed)
    assert field == ("wait_ms", "list of numbers or null", "ms", report_fields.NONE)


@dataclass
class Undescribed:
    wait_ms: tuple[float | None, ...]


def test_all_that_a_report_has_in_its_file_is_described() -> None:
    described = {field.name for one in report_fields.objects() for field in report_fields.fields_of(one)}
    written = msgspec.json.decode(msgspec.json.encode(two_candidates()))
    assert names_in(written) - described == set()
    assert {"candidates", "p95_ms", "bracket", "interval"} <= names_in(written)


def names_in(content: object, above: str = "") -> set[str]:
    """The names of all fields; those of `conditions` and the like are free, and none of ours."""
    if isinstance(content, list):
        return {name for one in content for name in names_in(one, above)}
    if not isinstance(content, dict) or above in ("conditions", "further", "phases_ms"):
        return set()
    return set(content) | {name for key, one in content.items() for name in names_in(one, key)}


def test_a_page_out_of_step_is_told_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in PAGES:
        shutil.copy(DOCS / page, tmp_path / page)
    stale = tmp_path / PAGES[0]
    stale.write_text(stale.read_text().replace("`--port`", "`--prot`"))
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["docs.generate", "--check"])
    with pytest.raises(SystemExit, match="1"):
        generate.main()
    monkeypatch.setattr(sys, "argv", ["docs.generate"])
    generate.main()
    assert stale.read_text() == (DOCS / PAGES[0]).read_text()


# Links


def heading_anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_path
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if urlsplit(link).scheme:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in heading_anchors(target), f"{link} leads to no heading"


# Commands


def command_lines(page: Path) -> list[list[str]]:
    """The words of every `paretoserve …` in the page's shell blocks."""
    shell = (block.text for block in blocks(page) if block.language in ("sh", "bash", "console"))
    joined = "\n".join(shell).replace("\\\n", " ")
    lines = (line.removeprefix("$ ").strip() for line in joined.splitlines())
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("paretoserve ")]


@by_path
def test_commands_are_understood(page: Path) -> None:
    for words in command_lines(page):
        # A group's command has a name of two words.
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in commands()), None)
        assert name, f"there is no command {words[0]}"
        commands()[name].make_context(name, words[len(name.split()) :])


@by_path
def test_what_is_to_be_made_can_be_made(page: Path) -> None:
    made = (line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.split()[1] for line in made if line.startswith("make ")} <= targets


def test_an_unknown_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        commands()["serve"].make_context("serve", ["store/sst2/int8", "--prot", "1"])


# Requests and answers


def store_of_the_pages(folder: Path) -> Path:
    """A store with the variants that the pages speak of, all of them tiny."""
    checkpoint = tiny_checkpoint(folder / "checkpoint")
    rows = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))
    data = Data(train=None, evaluation=Split("tiny", "dev", rows))
    request = BuildRequest(str(checkpoint), "", (), folder / "store", columns=Columns())
    for name in ("int8", "dense"):
        build_variant(request, checkpoint, data, "sst2", "dense", variant=name)
    return folder / "store"


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of_the_pages(tmp_path_factory.mktemp("docs")) / "sst2"


@pytest.fixture(scope="module")
def url(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    variants = [f"{model_dir / name}@onnxruntime" for name in ("int8", "dense")]
    with running_server(variants, tmp_path_factory.mktemp("log") / "server.log") as address:
        yield address


@pytest.mark.parametrize("exchange", exchanges(DOCS / "serve.md"), ids=lambda exchange: exchange.words[-1][:60])
def test_requests_are_answered_as_shown(exchange: Exchange, url: str) -> None:
    assert_answered(url, exchange)


def test_a_different_answer_would_be_noticed(url: str) -> None:
    exchange = exchanges(DOCS / "serve.md")[0]
    with pytest.raises(AssertionError):
        assert_answered(url, Exchange(exchange.words, exchange.answer.replace("label", "lable")))


# Your own code


def example(name: str) -> str:
    return str(ROOT / "examples" / name)


def test_the_page_shows_the_example_as_it_is() -> None:
    shown = [block for block in blocks(DOCS / "your-own-code.md") if block.source]
    assert shown
    for block in shown:
        assert block.text == (ROOT / str(block.source)).read_text()


def test_the_example_is_served_as_shown(tmp_path: Path) -> None:
    with running_server([example("own-code")], tmp_path / "server.log") as address:
        for exchange in exchanges(DOCS / "your-own-code.md"):
            if "text/csv" not in " ".join(exchange.words):
                assert ask(address, exchange.words).body.strip() == exchange.answer.strip()


def test_the_example_loads_without_a_server() -> None:
    folder = Path(example("own-code"))
    handler = load_handler(folder, manifest_of(folder), "python", Placement())
    prepared = handler.prepare(RawRequest(b'{"inputs": ["a charming film", "a dull film"]}'))
    assert [one["label"] for one in json.loads(handler.run_alone(prepared).body)] == ["positive", "negative"]


def code_shown(folder: Path, where: str) -> Path:
    """The folder with the code that has this in it, of the code that the page of own code shows by itself."""
    every = [block.text for block in blocks(DOCS / "your-own-code.md") if block.language == "python"]
    (code,) = (text for text in every if where in text)
    return write_code(folder, code)


def test_a_step_around_the_built_in_model_works_as_the_page_says(model_dir: Path, tmp_path: Path) -> None:
    folder = code_shown(Path(shutil.copytree(model_dir / "dense", tmp_path / "dense")), "SURE =")
    handler = load_handler(folder, read_manifest(folder), "onnxruntime", Placement())
    answer = handler.run_alone(handler.prepare(RawRequest(b'{"inputs": ["a film", "a plot"]}')))
    # Random weights are sure of nothing.
    assert [one["label"] for one in json.loads(answer.body)] == ["unsure", "unsure"]


def test_code_that_takes_lists_answers_as_the_page_says(tmp_path: Path) -> None:
    folder = code_shown(tmp_path / "lists", "predict_batch_fn")
    shown = [one for one in exchanges(DOCS / "your-own-code.md") if "text/csv" in " ".join(one.words)]
    assert len(shown) == 2
    with running_server([str(folder)], tmp_path / "server.log") as address:
        for exchange in shown:
            assert ask(address, exchange.words).body.strip() == exchange.answer.strip()


def test_code_that_declares_tensors_is_asked_by_them_as_the_page_says(tmp_path: Path) -> None:
    folder = code_shown(tmp_path, "V2_INPUTS")
    handler = load_handler(folder, manifest_of(folder), "python", Placement())
    ids = {"name": "input_ids", "datatype": "INT64", "shape": [2, 3], "data": [5, 6, 0, 7, 0, 0]}
    request = RawRequest(json.dumps({"inputs": [ids]}).encode(), protocol="v2")
    (output,) = json.loads(handler.run_alone(handler.prepare(request)).body)["outputs"]
    assert output == {"name": "lengths", "datatype": "INT64", "shape": [2], "data": [2, 1]}


# Manifests


def test_the_artifact_that_the_page_shows_has_the_fields_of_a_real_one(model_dir: Path) -> None:
    (shown,) = (json.loads(block.text) for block in blocks(DOCS / "build.md") if block.language == "json")
    raw = json.loads((model_dir / "int8" / "variant.json").read_text())
    written = raw["artifacts"]["openvino"]
    assert shown.keys() == written.keys()
    assert shown["quality"].keys() == written["quality"].keys()
