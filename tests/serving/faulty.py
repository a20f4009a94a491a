"""A variant on the engine of `faults`, and what a test can tell it and see of it."""

import fcntl
import json
import shlex
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from model_store.manifest import TOKENIZER_FILE, Artifact, Manifest, Technique, sha256_of, write_manifest
from serving.front.settings import VariantSpec
from tests.serving.faults import BACKEND, FIRST, SEPARATOR, UNKNOWN, VOCABULARY
from tests.serving.front_server import ROOT, Front, is_not_ready, until

LABELS = ["first", "second"]
AS_LOGITS = {"top_k": None, "function_to_apply": "none"}
ENGINE_FILE = "engine.txt"


class FaultyVariant:
    """Its folder, made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("calls", "gate", "start", ENGINE_FILE):
            (folder / name).touch()
        _write_tokenizer(folder / "tokenizer.json")
        _write_manifest(folder)
        self.spec = VariantSpec(folder.name, folder, BACKEND, str(_interpreter(folder / "faulty-python")))

    @property
    def calls(self) -> list[list[str]]:
        """The texts of each call of the engine, sorted, since the last `forget_calls`."""
        complete = (self.folder / "calls").read_text().rpartition("\n")[0]
        return [sorted(json.loads(line)) for line in complete.splitlines()]

    @property
    def seen(self) -> list[str]:
        """All texts that reached the engine."""
        return [text for call in self.calls for text in call]

    def forget_calls(self) -> None:
        (self.folder / "calls").write_text("")

    @contextmanager
    def held(self) -> Iterator[None]:
        """A call with the word "wait" does so until the block ends."""
        with _locked(self.folder / "gate"):
            yield

    @contextmanager
    def starts_held(self) -> Iterator[None]:
        """A worker that starts in this block is not ready before its end."""
        with _locked(self.folder / "start"):
            yield

    @contextmanager
    def busy(self, server: Front, calls: int = 1) -> Iterator[None]:
        """So many calls of the engine, of a text each, last until the block ends and the worker has heard all that
        was asked in it.

        Their answers may be lost where the next call ends the worker.
        """
        with self.held():
            waiting = [self._waiting_call(server) for _ in range(calls)]
            yield
            self._until_all_is_heard(server)
        assert all(is_right(one.result(), "wait") or is_not_ready(one.result()) for one in waiting)

    def _waiting_call(self, server: Front) -> "Future[httpx.Response]":
        before = self.seen.count("wait")
        answer = asking(server, "wait", self.spec.name)
        until(lambda: self.seen.count("wait") > before)
        return answer

    def _until_all_is_heard(self, server: Front) -> None:
        """A worker answers in turn what it refuses. One that is deaf while it runs its engine hears all after that."""
        if server.variants()[self.spec.name]["split"] != "1 stream of 1 thread":
            ask(server, " ", self.spec.name)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _write_tokenizer(file: Path) -> None:
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(vocabulary, VOCABULARY[UNKNOWN]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    first, separator = VOCABULARY[FIRST], VOCABULARY[SEPARATOR]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {separator}", special_tokens=[(first, FIRST), (separator, SEPARATOR)]
    )
    tokenizer.save(str(file))


def _write_manifest(folder: Path) -> None:
    digest = {file: sha256_of(folder / file) for file in (ENGINE_FILE, TOKENIZER_FILE)}
    artifact = Artifact(file=ENGINE_FILE, layout="packed", precision="float32", sha256=digest, bytes=0)
    manifest = Manifest(
        model="none",
        variant=folder.name,
        technique=Technique(recipe="toy"),
        task_settings={"labels": LABELS},
        max_tokens=64,
        artifacts={BACKEND: artifact},
    )
    write_manifest(manifest, folder)


def _interpreter(script: Path) -> Path:
    """An executable that a server starts as `SCRIPT -P -m serving.wire.lifeline FD CONFIG MODULE`."""
    python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
    command = f'{python} -m serving.wire.lifeline "$4" "$5" tests.serving.faults'
    script.write_text(f"#!/bin/sh\ncd {root} && exec {command}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def ask(server: Front, text: str, variant: str = "", **headers: str) -> httpx.Response:
    """Post a text, to be answered with its logits."""
    target = {"X-Amzn-SageMaker-Target-Variant": variant} if variant else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post("/invocations", json={"inputs": text, "parameters": AS_LOGITS}, headers=target | named)


def asking(server: Front, text: str, variant: str = "") -> "Future[httpx.Response]":
    """The same from a thread."""
    return server.threads.submit(ask, server, text, variant)


def asking_in_turn(server: Front, *texts: str, variant: str = "") -> "list[Future[httpx.Response]]":
    """The same with several, each admitted before the next is sent."""
    answers: list[Future[httpx.Response]] = []
    before = server.metric("in_flight_requests")
    for text in texts:
        answers.append(asking(server, text, variant))
        until(partial(_are_in_flight, server, before + len(answers)))
    return answers


def _are_in_flight(server: Front, count: float) -> bool:
    return server.metric("in_flight_requests") == count


def is_right(answer: httpx.Response, text: str) -> bool:
    """Whether it is answered, and as this text is to be."""
    if answer.status_code != 200:
        return False
    scores = {one["label"]: one["score"] for one in answer.json()}
    ids = [*map(VOCABULARY.index, text.split()), SEPARATOR]
    return [scores[label] for label in LABELS] == ids[:2]
