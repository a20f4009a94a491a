from pathlib import Path
from typing import Any

import pytest

from loadtest.plan.settings import Campaign, decode_campaign, encode_campaign, read_bodies
from loadtest.results.errors import LoadTestError


@pytest.mark.parametrize("levels", [(1, 2, 4), "auto"])
def test_campaign_survives_the_way_to_the_generator(levels: Any) -> None:
    campaign = Campaign(
        "http://127.0.0.1:8080", Path("/data/b.jsonl"), headers={"X-A": "b"}, levels=levels, client_cpus=(1,)
    )
    assert decode_campaign(encode_campaign(campaign)) == campaign


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "127.0.0.1:8080"}, "not an address"),
        ({"url": "ftp://host"}, "not an address"),
        ({"levels": ()}, "numbers of users"),
        ({"levels": (0, 1)}, "numbers of users"),
        ({"think_time_s": -1.0}, "no negative time"),
        ({"ramp_s": 0.0}, "positive timeout_s and ramp_s"),
        ({"first_users": 0}, "1 <= first_users <= max_users"),
        ({"first_users": 9, "max_users": 8}, "1 <= first_users <= max_users"),
        ({"min_dwell_s": 9.0, "max_dwell_s": 8.0}, "min_dwell_s <= max_dwell_s"),
    ],
)
def test_campaign_that_cannot_be_run_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadTestError, match=words):
        Campaign(**{"url": "http://127.0.0.1:8080", "bodies": Path("bodies"), **changes})


def test_bodies_are_the_lines_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "bodies.jsonl"
    path.write_bytes('{"inputs": "é  "}\n  \n{"inputs":"b"}\n'.encode())
    assert read_bodies(path) == ('{"inputs": "é  "}'.encode(), b'{"inputs":"b"}')


def test_missing_or_empty_bodies_are_named(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="Cannot read"):
        read_bodies(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    with pytest.raises(LoadTestError, match="one JSON document per line"):
        read_bodies(tmp_path / "empty.jsonl")
