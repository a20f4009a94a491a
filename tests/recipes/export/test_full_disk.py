import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_store.errors import StoreError
from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph
from recipes.export.base import Source
from recipes.export.catalogue import EXPORTERS
from recipes.work.disk import written_in
from recipes.work.progress import silent
from tests.tiny import tiny_checkpoint


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", EXPORTERS)
def test_an_artifact_that_finds_no_room_is_told(tmp_path: Path, backend: str) -> None:
    encoder = load_checkpoint(tiny_checkpoint(tmp_path / "tiny"))
    out_dir = tmp_path / "dense"
    out_dir.mkdir()
    source = Source(encoder, lambda: onnx_graph(encoder), (), out_dir, silent)
    told = pytest.raises(StoreError, match=r"^There is no room to write 'dense' ")
    with told, written_in(out_dir), files_of_at_most(20_000):
        EXPORTERS[backend].write(source, "fp32")
