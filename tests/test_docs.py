"""The documentation is in step with the code: its tables, its links, its commands, its requests and their answers."""

import csv
import http.client
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from docs import generate
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
from tests.tiny import TEXTS, tiny_checkpoint

ROOT = DOCS.parent
DOCUMENTS = (*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md")
LABELS = ("negative", "positive")

by_path = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `source` is the file that a comment above it names."""

    language: str
    text: str
    source: str | None = None


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"(?:<!-- file: (\S+) -->\n)?^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(language, text, source or None) for source, language, text in found]


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


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as a page writes it for curl, and the answer that the page shows."""

    words: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as `curl -i` prints it."""

    head: list[str]
    body: str

    @property
    def headers(self) -> list[str]:
        return [line.partition(":")[0].lower() for line in self.head[1:]]


def exchanges(page: Path) -> list[Exchange]:
    console = "".join(block.text for block in blocks(page) if block.language == "console")
    found = []
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(i for i in range(1, len(lines) + 1) if _is_complete("\n".join(lines[:i])))
        command = "\n".join(lines[:end]).replace("\\\n", " ")
        found.append(Exchange(tuple(shlex.split(command)), "\n".join(lines[end:])))
    return found


def _is_complete(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.endswith("\\")


def ask(url: str, words: tuple[str, ...]) -> Response:
    """Do what curl does with these words, at `url` instead of the address in them."""
    flags, rest = {"-s", "-i"}, iter(words[1:])
    # curl's own content type for a body.
    headers, body, path = {"Content-Type": "application/x-www-form-urlencoded"}, None, ""
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data-binary"):
            body = next(rest).encode()
        elif word not in flags:
            path = urlsplit(f"//{word}").path
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    head = [
        f"HTTP/1.1 {answer.status} {answer.reason}",
        *(f"{name}: {value}" for name, value in answer.getheaders()),
    ]
    text = answer.read().decode()
    connection.close()
    return Response(head, text)


def shape(value: Any) -> Any:
    """What two answers of differently trained models have in common: numbers and labels are interchangeable."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    return "label" if value in LABELS else "number" if isinstance(value, int | float) else value


def body_shape(text: str) -> Any:
    """The shape of JSON, of JSON Lines, or of CSV with labels and scores."""
    try:
        return [shape(json.loads(line)) for line in text.strip().splitlines()]
    except json.JSONDecodeError:
        return [[shape(float(cell) if "." in cell else cell) for cell in row] for row in csv.reader(text.splitlines())]


def assert_answered(url: str, exchange: Exchange) -> None:
    found, shown = ask(url, exchange.words), exchange.answer
    if "-i" in exchange.words:
        head, _, shown = shown.partition("\n\n")
        lines = head.splitlines()
        assert found.head[0] == lines[0]
        assert found.headers == Response(lines, "").headers
    assert body_shape(found.body) == body_shape(shown)


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
            assert ask(address, exchange.words).body.strip() == exchange.answer.strip()


def test_the_example_loads_without_a_server() -> None:
    folder = Path(example("own-code"))
    handler = load_handler(folder, manifest_of(folder), "python", Placement())
    prepared = handler.prepare(RawRequest(b'{"inputs": ["a charming film", "a dull film"]}'))
    assert [one["label"] for one in json.loads(handler.run_alone(prepared).body)] == ["positive", "negative"]


def test_a_step_around_the_built_in_model_works_as_the_page_says(model_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_dir / "dense", tmp_path / "dense"))
    (code,) = (
        block.text for block in blocks(DOCS / "your-own-code.md") if block.language == "python" and not block.source
    )
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(code)
    handler = load_handler(folder, read_manifest(folder), "onnxruntime", Placement())
    answer = handler.run_alone(handler.prepare(RawRequest(b'{"inputs": ["a film", "a plot"]}')))
    # Random weights are sure of nothing.
    assert [one["label"] for one in json.loads(answer.body)] == ["unsure", "unsure"]


# Manifests


def test_the_artifact_that_the_page_shows_has_the_fields_of_a_real_one(model_dir: Path) -> None:
    (shown,) = (json.loads(block.text) for block in blocks(DOCS / "build.md") if block.language == "json")
    raw = json.loads((model_dir / "int8" / "variant.json").read_text())
    written = raw["artifacts"]["openvino"]
    assert shown.keys() == written.keys()
    assert shown["quality"].keys() == written["quality"].keys()
