from pathlib import Path

import pytest

from loadtest.results.errors import LoadTestError
from loadtest.results.records import RequestRow
from loadtest.results.request_log import append_rows, read_rows


def test_rows_of_several_visits_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv.gz"
    first = RequestRow(0, 3, 0.05, 1.25, 0.5, 10.5, 200, "ok", (0.25, 1.0, None, 8.0, None, 9.5, 10.0))
    second = RequestRow(1, 4, 0.0, 2.5, 0.0, 3.0, 429, "rejected")
    append_rows(path, 0, 1, [(True, first)])
    append_rows(path, 1, 2.5, [(False, second)])
    logged = read_rows(path)
    assert [(r.visit, r.at, r.measured, r.request) for r in logged] == [(0, 1, True, first), (1, 2.5, False, second)]


def test_damaged_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(LoadTestError, match="run the campaign again"):
        read_rows(path)
