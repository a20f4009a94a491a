"""What every peer's server is started with; read in the peer's environment, so the standard library only."""

import argparse
import socket
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Arguments:
    """`max_batch` is the most texts in one call of the model; 1 turns the peer's batching off."""

    port: int
    variant: Path
    max_batch: int


def read_arguments() -> Arguments:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--variant", type=Path, required=True)
    parser.add_argument("--max-batch", type=int, required=True)
    given = parser.parse_args()
    return Arguments(given.port, given.variant, given.max_batch)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
