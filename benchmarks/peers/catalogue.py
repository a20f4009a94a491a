"""All peers. A new one is a folder with a `PEER`, a `server.py` and a `requirements.txt`, and a line here."""

from benchmarks.peers import fastapi, litserve, mlserver, ray_serve, torchserve, triton

PEERS = {one.PEER.name: one.PEER for one in (fastapi, litserve, mlserver, torchserve, ray_serve, triton)}
