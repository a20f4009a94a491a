"""LitServe: FastAPI in front, a queue, and a process with the model."""

from benchmarks.peers.common.peer import Peer, plain_body, plain_label

PEER = Peer("litserve", "litserve", "/predict", plain_body, plain_label)
