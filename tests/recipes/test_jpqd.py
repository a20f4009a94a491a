from pathlib import Path

from model_store.rows import Data, Row, Split
from networks.config import read_shape
from networks.encoder.counts import macs_per_token
from recipes.grammar import parse_recipe
from recipes.run import RecipeInput, run_recipe
from recipes.steps.catalogue import STEPS
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

SHAPE = tiny_shape(heads=(4, 4), units=(256, 256))
ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS * 4))


def test_jpqd_prunes_to_two_fifths_and_quantizes(tmp_path: Path) -> None:
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    given = RecipeInput(
        checkpoint=tiny_checkpoint(tmp_path / "tiny", shape=SHAPE),
        data=Data(Split("films", "train", ROWS), Split("films", "dev", ROWS[:4])),
        out_dir=out_dir,
        work=tmp_path / "work",
        latency_s=lambda shape: 1.0,
        report=lambda what, done: None,
        backends=("onnxruntime", "openvino"),
    )
    built = run_recipe(parse_recipe("jpqd", STEPS), given)
    assert (built.technique.recipe, built.technique.parameters["chain"]) == ("jpqd", "movement:macs<=40%+int8")
    assert [(one.step, one.parameters) for one in built.lineage] == [("movement", {"limit": "macs<=40%", "passes": 5})]
    assert [artifact.precision for artifact in built.artifacts.values()] == ["int8", "int8"]
    assert 0.3 < macs_per_token(read_shape(built.checkpoint), 8) / macs_per_token(SHAPE, 8) <= 0.4
