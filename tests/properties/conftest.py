"""How hard Hypothesis looks: the same few examples each time; with HYPOTHESIS_PROFILE=long many others."""

import os

from hypothesis import settings

settings.register_profile("quick", deadline=None, max_examples=40, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=2000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
