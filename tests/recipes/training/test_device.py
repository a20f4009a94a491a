import pytest
import torch
from torch import nn

from recipes.training import device
from recipes.training.device import autocast, device_of, has_fast_bf16, on_device, training_device


def test_training_goes_where_torch_computes_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training_device() == torch.device("cuda")


def test_inputs_follow_the_weights() -> None:
    model = nn.Linear(2, 2, device="meta")
    assert device_of(model) == torch.device("meta")
    assert on_device({"x": torch.zeros(1)}, model)["x"].device == torch.device("meta")


@pytest.mark.parametrize(("gpu", "amx", "fast"), [(None, True, True), (None, False, False), (False, True, False)])
def test_bf16_is_fast_on_gpus_that_have_it_and_with_amx(
    monkeypatch: pytest.MonkeyPatch, gpu: bool | None, amx: bool, fast: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu)
    monkeypatch.setattr(device, "_has_amx", lambda: amx)
    assert has_fast_bf16() == fast


def test_autocast_computes_products_in_bf16_and_leaves_the_weights() -> None:
    model = nn.Linear(2, 2)
    with autocast(model, enabled=True):
        assert model(torch.ones(1, 2)).dtype == torch.bfloat16
    with autocast(model, enabled=False):
        assert model(torch.ones(1, 2)).dtype == torch.float32
    assert model.weight.dtype == torch.float32
