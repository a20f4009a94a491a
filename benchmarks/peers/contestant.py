"""What is measured: a peer in one of its configurations, or our own server."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.peers.common.peer import Peer, plain_body, plain_label
from benchmarks.peers.process import running_peer
from paretoserve.hosts.process import running_server

OURS, OWN_CODE = "paretoserve", "paretoserve with own code"
OPTIONS = ("--streams", "1", "--threads", "1", "--queue-deadline", "5")
"""One call of the engine at once, as the peers have it; and nothing refused, as the peers refuse nothing."""

Start = Callable[[Sequence[int], Path], AbstractContextManager[str]]
"""Given cores and a file for its log: serves within a block, at the URL that it yields."""


@dataclass(frozen=True)
class Contestant:
    server: str
    configuration: str
    path: str
    body: Callable[[str], bytes]
    label: Callable[[bytes], str]
    start: Start

    @property
    def name(self) -> str:
        return f"{self.server}, {self.configuration}"


def ours(variant: Path) -> Contestant:
    def start(cores: Sequence[int], log_file: Path) -> AbstractContextManager[str]:
        return running_server([f"{variant}@onnxruntime"], log_file, OPTIONS, cores)

    return Contestant(OURS, "as it is", "/invocations", plain_body, _label, start)


def _label(answer: bytes) -> str:
    """One text in, one label out: ours answers as Hugging Face's toolkit does, with or without a list around it."""
    return plain_label(answer if answer.startswith(b"[") else b"[" + answer + b"]")


def contestants(peers: Iterable[Peer], variant: Path) -> list[Contestant]:
    """Ours, and every configuration of every peer."""
    theirs = [
        Contestant(peer.name, name, peer.path, peer.body, peer.label, _start(peer, max_batch, variant))
        for peer in peers
        for name, max_batch in peer.configurations.items()
    ]
    return [ours(variant), *theirs]


def _start(peer: Peer, max_batch: int, variant: Path) -> Start:
    return partial(running_peer, peer, max_batch, variant)
