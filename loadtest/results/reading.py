"""Reads reports, also those of earlier schemas."""

from pathlib import Path
from typing import Any

import msgspec

from loadtest.results.comparison import SCHEMA, Report
from loadtest.results.errors import LoadTestError


class _Header(msgspec.Struct):
    schema: int


def read_report(path: Path) -> Report:
    """Read a `report.json`; raises LoadTestError when it is missing, damaged or of a later schema."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadTestError(f"There is no report at '{path}'; give the folder of a finished comparison.") from error
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema > SCHEMA:
            raise LoadTestError(
                f"'{path}' has schema {schema} and this version reads up to {SCHEMA}; update ParetoServe to read it."
            )
        return _from_schema_1(data) if schema == 1 else msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise LoadTestError(f"'{path}' is damaged ({error}); run the comparison again.") from error


def _from_schema_1(data: bytes) -> Report:
    """Schema 1 has one run of each candidate, its levels beside its facts, and calls its quality accuracy."""
    content = msgspec.json.decode(data, type=dict[str, Any])
    candidates = [_candidate_of_1(one, content.get("created", "")) for one in content["candidates"]]
    return msgspec.convert({**content, "candidates": candidates, "schema": SCHEMA}, Report)


def _candidate_of_1(old: dict[str, Any], created: str) -> dict[str, Any]:
    threshold = dict(old["threshold"])
    threshold["at"] = threshold.pop("users")
    levels = [_level_of_1(level) for level in old["levels"]]
    run = {"block": 0, "place": 0, "started": created, "levels": levels, "threshold": threshold}
    facts = {("quality" if key == "accuracy" else key): old[key] for key in old if key not in ("levels", "threshold")}
    return {**facts, "runs": [run]}


def _level_of_1(old: dict[str, Any]) -> dict[str, Any]:
    # Its means of phases were of answers that did not state all of them, so they do not add up.
    kept = {key: value for key, value in old.items() if not key.endswith(("queue_ms", "tokenize_ms", "infer_ms"))}
    steady, at = kept.pop("steady"), kept.pop("users")
    doubts = () if steady else ("it was not steady, or too few requests were sent, when its time was up.",)
    unknown = {"late": 0, "mean_ms": None, "send_lag_p99_ms": 0.0, "loop_lag_p99_ms": 0.0}
    return {**kept, **unknown, "at": at, "doubts": doubts}
