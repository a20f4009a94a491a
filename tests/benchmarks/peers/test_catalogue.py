import ast
import json
import sys

import pytest

from benchmarks.harness.places import ROOT
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.common.peer import PEERS_DIR, Peer, plain_body, plain_label, v2_body, v2_label

by_peer = pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
COMMON = {"benchmarks", "numpy", "onnxruntime", "tokenizers"}
# What a peer's own code may import besides, where its package is called otherwise than it is installed.
OWN = {
    "fastapi": {"uvicorn"},
    "mlserver": {"uvloop"},
    "torchserve": {"ts"},
    "triton": {"pytriton"},
    "ray_serve": {"ray", "starlette"},
}


@by_peer
def test_a_peer_asks_for_exact_versions(peer: Peer) -> None:
    lines = [line for line in peer.requirements.read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
    assert len(lines) == len({line.split("==")[0] for line in lines})
    assert peer.version


@by_peer
def test_all_peers_run_the_same_engine_and_tokenizer_as_each_other(peer: Peer) -> None:
    first = next(iter(PEERS.values()))
    for package in ("onnxruntime", "tokenizers"):
        pins = [
            line
            for requirements in (first.requirements, peer.requirements)
            for line in requirements.read_text().splitlines()
            if line.startswith(f"{package}==")
        ]
        assert len(pins) == 2
        assert len(set(pins)) == 1


@by_peer
def test_a_server_needs_nothing_of_the_project_but_what_peers_share(peer: Peer) -> None:
    files = [*peer.folder.glob("*.py"), *(PEERS_DIR / "common").glob("*.py")]
    imported = {name for file in files for name in _imports(file.read_text())}
    foreign = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert foreign <= COMMON | {peer.name} | OWN.get(peer.name, set())
    assert {name.split(".")[2] for name in imported if name.startswith("benchmarks.")} <= {"common", peer.name}


def _imports(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(f"{node.module}.{node.names[0].name}")
    return found


def test_importing_the_packages_around_a_server_needs_no_third_party() -> None:
    assert (ROOT / "benchmarks" / "__init__.py").read_text().count("import") == 0
    for package in (PEERS_DIR, PEERS_DIR / "common"):
        assert _imports((package / "__init__.py").read_text()) == set()


def test_a_sentence_goes_into_a_body_and_its_label_comes_out_of_an_answer() -> None:
    assert json.loads(plain_body('a "film"')) == {"inputs": 'a "film"'}
    assert plain_label(b'[{"label": "positive", "score": 0.9}]') == "positive"
    assert json.loads(v2_body("é"))["inputs"] == [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["é"]}]
    assert v2_label(b'{"outputs": [{"name": "score", "data": [1]}, {"name": "label", "data": ["bad"]}]}') == "bad"
