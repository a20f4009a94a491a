"""MLServer, which speaks the Open Inference Protocol."""

from benchmarks.peers.common.peer import Peer, v2_body, v2_label

PEER = Peer("mlserver", "mlserver", "/v2/models/sst2/infer", v2_body, v2_label)
