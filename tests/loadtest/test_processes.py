"""Processes that end with their block: a signal comes at the worst moment, by a real `kill` of this process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from loadtest.processes import child_process, end, interrupts_deferred

pytestmark = pytest.mark.timeout(60)

WAITS = [sys.executable, "-c", "import signal; signal.pause()"]
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of a command that is at work, see `paretoserve.terminal.interrupt`."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_started_when_the_signal_comes_is_ended(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    popen = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        started.append(popen(command, **options))
        os.kill(os.getpid(), number)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), child_process(WAITS, stop_s=10):
        pytest.fail("the block must not begin")
    (process,) = started
    assert process.returncode == -signal.SIGTERM


def test_a_process_runs_inside_the_block_and_receives_signals_there() -> None:
    with child_process(WAITS, stop_s=10) as process:
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait() != 0
    with child_process(WAITS, stop_s=10) as process:
        pass
    assert process.returncode == -signal.SIGTERM


def test_one_that_does_not_end_when_asked_is_killed() -> None:
    with child_process([sys.executable, "-c", IGNORES_SIGTERM], stop_s=0.2, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
    assert process.returncode == -signal.SIGKILL
    end(process, stop_s=0.2)


def test_a_signal_takes_effect_once_at_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():  # noqa: PT012  the second step is what is tested
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("after the signals")
    assert steps == ["after the signals"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_deferred():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGINT)


def test_another_thread_than_the_main_one_can_start_processes() -> None:
    codes = []

    def start() -> None:
        with child_process(WAITS, stop_s=10) as process:
            pass
        codes.append(process.returncode)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert codes == [-signal.SIGTERM]
