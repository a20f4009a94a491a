from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.trial import Outcome, Trial
from model_store.rows import Data, Row, Split
from paretoserve.builds import latency
from paretoserve.builds.latency import latency_on
from paretoserve.measuring.logits import trial_outcomes
from recipes.export.precisions import Precision
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_encoder_of_any_shape_is_measured_on_the_engine(
    precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data(None, Split("films", "dev", tuple(Row(text, pair, 0) for text, pair in TEXTS)))
    asked: list[tuple[str, str, int]] = []

    def noted(trial: Trial) -> Iterator[Outcome]:
        asked.append((trial.backend, trial.precision, len(trial.texts)))
        return trial_outcomes(trial)

    monkeypatch.setattr(latency, "trial_outcomes", noted)
    latency_s = latency_on("onnxruntime", precision, tiny_checkpoint(tmp_path), data, 128)
    assert 0 < latency_s(tiny_shape(heads=(1,), units=(16,))) < 10
    assert asked == [("onnxruntime", precision, 3 * len(TEXTS))]
