from pathlib import Path
from types import SimpleNamespace

import pytest

from recipes.work import folder
from recipes.work.folder import Clock, fingerprint, write_whole, writing
from recipes.work.progress import followed_by, part_of


def test_seconds_add_up_over_runs_that_were_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(folder, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first = Clock(tmp_path / "seconds")
    report = first.around(lambda what, done: None)
    now[0] = 130.0
    report("half", 0.5)
    # It is killed here, and started again.
    now[0] = 1000.0
    second = Clock(tmp_path / "seconds")
    now[0] = 1012.0
    assert second.seconds() == pytest.approx(42.0)


def test_seconds_are_kept_where_nothing_was_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(folder, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first = Clock(tmp_path / "seconds")
    now[0] = 103.0
    first.keep()
    now[0] = 1000.0
    assert Clock(tmp_path / "seconds").seconds() == pytest.approx(3.0)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    write_whole(tmp_path / "file", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_what_cannot_be_written_whole_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    with pytest.raises(FileNotFoundError), writing(tmp_path / "file") as partial:
        partial.write_bytes((tmp_path / "missing").read_bytes())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_fingerprint_tells_contents_apart() -> None:
    assert fingerprint("a", {"b": 1}) == fingerprint("a", {"b": 1}) != fingerprint("a", {"b": 2})


def test_a_check_follows_each_word_and_may_end_the_work() -> None:
    told: list[str] = []

    def check() -> None:
        if len(told) == 2:
            raise KeyboardInterrupt

    progress = followed_by(lambda what, done: told.append(what), check)
    progress("first", 0.1)
    with pytest.raises(KeyboardInterrupt):
        progress("second", 0.2)
    assert told == ["first", "second"]


def test_parts_of_some_work_follow_each_other() -> None:
    told: list[float] = []
    for i in range(2):
        part = part_of(lambda what, done: told.append(done), i, 2)
        part("", 0.0)
        part("", 1.0)
    assert told == [0.0, 0.5, 0.5, 1.0]
