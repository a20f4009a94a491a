"""Triton Inference Server, through PyTriton: its own HTTP front and dynamic batcher, the model in Python."""

from benchmarks.peers.common.peer import Peer, v2_body, v2_label

PEER = Peer(
    "triton",
    "nvidia-pytriton",
    "/v2/models/sst2/infer",
    v2_body,
    v2_label,
    python="3.12",
    needs_library=True,
)
