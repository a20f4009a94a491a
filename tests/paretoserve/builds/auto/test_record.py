from pathlib import Path

from model_store.store import variant_dirs
from paretoserve.builds.auto.record import RECORD_FILE, Dense, Record, Scored, Try, read_record, write_record

RECORD = Record(
    key="some-key",
    target="openvino",
    processor="a processor",
    max_drop=1.0,
    validation_rows=30,
    dense=Dense(sha256="hash", validation=Scored(value=0.9, wrong=[1, 5, 9]), seconds=12.5),
    tries=[
        Try(recipe="int8", verdict="kept", why="holds", gain=2.5, drop=0.1, drop_interval=(-0.2, 0.4), variant="int8"),
        Try(recipe="half+int8", verdict="not begun", why="expected 2.1 x", expected_gain=2.1),
    ],
)


def test_what_was_found_is_read_again(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "m" / RECORD_FILE)
    assert read_record(tmp_path / "m" / RECORD_FILE, "some-key") == RECORD


def test_what_was_found_of_something_else_is_not(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / RECORD_FILE)
    assert read_record(tmp_path / RECORD_FILE, "other-key") is None


def test_no_file_and_a_file_of_something_else_are_nothing(tmp_path: Path) -> None:
    assert read_record(tmp_path / RECORD_FILE, "some-key") is None
    (tmp_path / RECORD_FILE).write_text('{"key": "some-key"}')
    assert read_record(tmp_path / RECORD_FILE, "some-key") is None


def test_a_store_takes_it_for_no_variant(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "model" / RECORD_FILE)
    assert variant_dirs(tmp_path) == []
