import os
import subprocess
import sys

import pytest

from paretoserve.hosts.usage import MachineTimes, machine_times, processor_seconds, steal_share

# A child that computes, and says so once it has used that much; then it waits for a line.
WORK = """
import sys, time
while time.process_time() < 0.3:
    pass
print("worked", flush=True)
sys.stdin.readline()
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {WORK!r}], stdin=subprocess.PIPE)
sys.stdin.readline()
child.communicate(b"end")
print("ended", flush=True)
sys.stdin.readline()
"""


@pytest.mark.timeout(60)
def test_the_time_of_children_counts_while_they_run_and_after() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == "worked\n"
        running_s = processor_seconds(parent.pid)
        print(file=parent.stdin, flush=True)
        assert parent.stdout.readline() == "ended\n"
        after_s = processor_seconds(parent.pid)
        assert running_s is not None
        assert after_s is not None
        assert after_s >= running_s >= 0.3
        parent.communicate("\n")


def test_what_a_process_that_is_gone_has_used_is_not_known() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert processor_seconds(process.pid) is None
    assert processor_seconds(None) is None


def test_the_machine_counts_its_processors_and_no_steal_is_more_than_all() -> None:
    before = machine_times()
    after = MachineTimes(before.total_s + 10.0, before.steal_s + 1.0)
    assert steal_share(before, after) == pytest.approx(0.1)
    assert steal_share(before, before) is None
    assert before.total_s > sum(os.times()[:2])
