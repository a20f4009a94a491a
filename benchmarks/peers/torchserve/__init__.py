"""TorchServe: a Java front and a Python worker with the model. No longer maintained, still much used."""

from benchmarks.peers.common.peer import Peer, plain_body, plain_label

PEER = Peer("torchserve", "torchserve", "/predictions/sst2", plain_body, plain_label)
