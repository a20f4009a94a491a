"""The stack as it is shipped, and a real Prometheus that watches with its rules."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import yaml

from tests.serving.front_server import until

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PROMETHEUS = DOCKER / "prometheus"
RULES = PROMETHEUS / "rules.yml"

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana" / "paretoserve.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _rules(kind: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


RECORDS = _rules("record")
ALERTS = _rules("alert")


def missing(what: str) -> NoReturn:
    """Skip, but not where nobody would notice."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def program(name: str) -> str:
    return shutil.which(name) or missing(f"There is no {name}; install Debian's prometheus package.")


def promtool(*words: str | Path) -> str:
    """What promtool prints; an error if it finds fault."""
    done = subprocess.run([program("promtool"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[httpx.Client]:
    """A Prometheus with the shipped configuration that watches `target` instead, every second."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": "127.0.0.1:0",
    }
    command = [program("prometheus"), *(f"--{name}={value}" for name, value in options.items())]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            with httpx.Client(base_url=_address(process, log), timeout=30) as http:
                until(lambda: http.get("/-/ready").status_code == 200)
                yield http
        finally:
            process.kill()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    def found() -> "re.Match[str] | None":
        assert process.poll() is None, log.read_text()
        return re.search(r'"Listening on" address=(\S+)', log.read_text())

    until(found)
    match = found()
    assert match
    return f"http://{match[1]}"
