"""Ray Serve: an HTTP proxy and a replica with the model, as actors of a Ray that lives and dies with them.

In the mode that its documentation calls throughput optimized, but with the proxy: without it ("direct ingress") every
replica listens for itself, and a balancer of the cloud's is expected in front. On loopback, but for one port: the gRPC
server of a replica takes all interfaces, and no setting changes that.
"""

from benchmarks.peers.common.peer import Peer, plain_body, plain_label

ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only, on any system, whatever its name says
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
}
PEER = Peer("ray_serve", "ray", "/predict", plain_body, plain_label, environment=ENVIRONMENT)
