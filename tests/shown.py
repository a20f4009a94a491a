"""What pages show: fenced blocks, and requests with their answers, which are asked of a real server."""

import csv
import http.client
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LABELS = ("negative", "positive")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `source` is the file that a comment above it names."""

    language: str
    text: str
    source: str | None = None


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"(?:<!-- file: (\S+) -->\n)?^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(language, text, source or None) for source, language, text in found]


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
