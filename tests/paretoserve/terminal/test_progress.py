import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console

from paretoserve.terminal import progress as terminal

WORDS = "step 12250 of 19000, loss 0.31, validation 91.20 %, 114 min left"


def shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, act: Callable[[terminal.Progress], None]) -> str:
    """What a narrow terminal or a pipe gets."""
    stream = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=stream, force_terminal=is_terminal, width=80))
    with terminal.progress("Training sst2-minilm") as report:
        act(report)
    return stream.getvalue()


def test_a_narrow_terminal_shows_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=stream, force_terminal=True, width=80))
    bar = terminal.new_bar()
    bar.update(bar.add_task("", total=1.0), description=f"Training sst2-minilm: {WORDS}", completed=0.5)
    terminal.errors.print(bar.get_renderable())
    words = stream.getvalue().split()
    assert [word for word in words if word in WORDS.split()] == WORDS.split()
    assert "50%" in stream.getvalue()


def test_a_pipe_gets_a_line_at_each_quarter_and_each_new_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(report: terminal.Progress) -> None:
        for i in range(100):
            report(f"step {i}", i / 100)
        report("evaluating", 0.99)

    lines = shown(monkeypatch, False, act).splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines[1:-1]] == ["0%", "25%", "50%", "75%", "99%"]


def test_a_pipe_gets_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def act(report: terminal.Progress) -> None:
        for minute in range(3):
            now[0] = 61.0 * minute
            report(f"step {minute}, loss 0.31", 0.1)

    lines = shown(monkeypatch, False, act).splitlines()
    assert lines[1:-1] == [f"  Training sst2-minilm: step {i}, loss 0.31 10%" for i in range(3)]
