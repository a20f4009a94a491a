from pathlib import Path

import numpy as np

from tests.tiny import random_packed, tiny_checkpoint, torch_logits


def test_a_segment_attends_to_itself_only(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path)
    packed = random_packed([[4, 6, 1], [9]], 12)
    changed = {name: values.copy() for name, values in packed.items()}
    changed["input_ids"][0, 4:10] = 7
    before, after = torch_logits(checkpoint, packed), torch_logits(checkpoint, changed)
    np.testing.assert_allclose(before[[0, 2, 3]], after[[0, 2, 3]], atol=1e-6)
    assert np.abs(before[1] - after[1]).max() > 1e-3
