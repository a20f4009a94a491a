"""How hard Hypothesis looks: the same few examples each time; with HYPOTHESIS_PROFILE=long many others."""

import os

import pytest
import torch
from hypothesis import settings

settings.register_profile("quick", deadline=None, max_examples=40, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=2000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def _with_denormals() -> None:
    """Engines have this thread take denormal numbers for zero; Hypothesis draws no numbers then."""
    torch.set_flush_denormal(False)
