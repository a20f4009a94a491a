"""The folders that benchmarks read from and write to."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "performance"
VARIANTS = ROOT / "docs" / "results" / "variants"
WRITE_UPS = ROOT / "docs" / "results" / "write-ups"
SHARED = ROOT.parent / "shared"
"""Checkpoints and data beside the repository, where there are any; benchmarks do without."""
RUNS = ROOT / "runs" / "benchmarks"
"""What is made once and used by every run: variants, environments, logs. Git ignores it; delete it to start afresh."""
