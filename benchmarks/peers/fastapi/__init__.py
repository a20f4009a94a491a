"""FastAPI without anything around it: what a team writes first."""

from benchmarks.peers.common.peer import Peer, plain_body, plain_label

PEER = Peer("fastapi", "fastapi", "/predict", plain_body, plain_label, batches=False)
