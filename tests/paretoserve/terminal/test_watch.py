import io
import os
import pty
import sys

import pytest
from rich.console import Console

from loadtest.generator.events import LevelDone, LevelStarted, LevelTicked
from paretoserve.terminal import progress
from paretoserve.terminal.watch import Dashboard, Watch, watching
from tests.loadtest.examples import level

BLOCKS = ("block 1 of 1",)


def run(watch: Watch) -> None:
    watch.begin("dense@torch", "block 1 of 1", 100.0)
    for part in (0.1, 0.5, 1.0):
        watch.do("accuracy over HTTP", part)
    watch.see(LevelStarted(0, 8, None))
    for elapsed_s in (1.0, 2.0, 3.0):
        watch.see(LevelTicked(0, 8, elapsed_s, 4.0, 100, 79.0, 0.0))
    watch.see(LevelDone(0, level(8, p95_ms=21.0)))
    watch.end("dense@torch", "block 1 of 1", "52")


def console_of(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(
        progress, "errors", Console(file=stream, force_terminal=is_terminal, width=100, highlight=False)
    )
    return stream


LINES = [
    "dense@torch, block 1 of 1 … (about 2 min left)",
    "  dense@torch, block 1 of 1: accuracy over HTTP",
    "  dense@torch, block 1 of 1: level 1: 8 users, 400 answers/s, p95 21 ms, 0.0% unserved",
    "dense@torch, block 1 of 1: 52",
]


@pytest.mark.parametrize(("is_terminal", "plain"), [(False, False), (False, True), (True, True)])
def test_lines_tell_each_run_step_and_level_once(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, plain: bool
) -> None:
    stream = console_of(monkeypatch, is_terminal)
    with watching("sst2", BLOCKS, plain) as watch:
        run(watch)
    assert stream.getvalue().splitlines() == LINES


def test_a_terminal_gets_a_dashboard_that_ends_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = console_of(monkeypatch, is_terminal=True)
    with watching("sst2", BLOCKS) as watch:
        assert isinstance(watch, Dashboard)
        run(watch)
        watch.say("A word in between.")
    last = stream.getvalue().rsplit("sst2", 1)[0]
    assert "A word in between." in stream.getvalue()
    assert "dense@torch" in last
    assert "52" in last


@pytest.mark.timeout(60)
def test_a_real_terminal_is_drawn_on_and_left_with_a_cursor() -> None:
    program = (
        "from tests.paretoserve.terminal.test_watch import BLOCKS, run\n"
        "from paretoserve.terminal.watch import watching\n"
        "with watching('sst2: 1 candidate', BLOCKS) as watch:\n"
        "    run(watch)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, "-c", program])  # noqa: S606  our own interpreter
    text = _all_of(terminal)
    assert os.waitpid(pid, 0)[1] == 0, text
    assert "sst2: 1 candidate" in text
    assert "\x1b[?25l" in text, "the cursor is hidden while it is drawn"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def _all_of(terminal: int) -> str:
    told = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # what Linux says once the other side is closed
            break
        if not more:
            break
        told += more
    os.close(terminal)
    return told.decode(errors="replace")
