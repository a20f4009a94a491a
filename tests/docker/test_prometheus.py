"""Rules and alerts, by promtool and beside what they are made of and told on."""

import re

import pytest
from prometheus_client.core import Metric

from serving.front.metrics import Metrics
from tests.docker.stack import ALERTS, PANELS, PROMETHEUS, RECORDS, ROOT, RULES, program, promtool

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def names_in(expressions: list[str]) -> set[str]:
    """What is named after something of ours: metrics and, with colons, what rules record."""
    return {name for one in expressions for name in re.findall(r"[\w:]+", one) if "paretoserve_" in name}


def series_of(family: Metric) -> list[str]:
    return [f"{family.name}{suffix}" for suffix in SUFFIXES[family.type]]


RULED = names_in([rule["expr"] for rule in (*RECORDS, *ALERTS)])
SHOWN = names_in([target["expr"] for panel in PANELS for target in panel["targets"]])


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_program_is_passed_over_but_not_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match=r"install Debian's prometheus package"):
        program("promtool")


@pytest.mark.timeout(30)
def test_the_configuration_and_the_rules_are_valid() -> None:
    assert "valid prometheus config" in promtool("check", "config", PROMETHEUS / "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.timeout(30)
def test_the_rules_give_what_their_tests_expect() -> None:
    promtool("test", "rules", PROMETHEUS / "rules.test.yml")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_is_tested(alert: dict[str, str]) -> None:
    assert f"alertname: {alert['alert']}" in (PROMETHEUS / "rules.test.yml").read_text()


def test_metrics_in_rules_and_on_the_dashboard_are_those_of_the_server() -> None:
    served = {name for family in Metrics().registry.collect() for name in series_of(family)}
    assert {name for name in RULED | SHOWN if ":" not in name} <= served


def test_what_is_recorded_is_used_and_what_is_used_is_recorded() -> None:
    assert {name for name in RULED | SHOWN if ":" in name} == {rule["record"] for rule in RECORDS}


@pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: rule["record"])
def test_recorded_names_say_their_level_their_metric_and_what_was_done(rule: dict[str, str]) -> None:
    level, metric, operations = rule["record"].split(":")
    assert level.startswith("variant_backend")
    assert metric.startswith("paretoserve_")
    assert operations


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_grave_it_is_and_what_to_do(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "description"}


def test_the_page_tells_of_every_alert_how_grave_it_is_and_after_how_long() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (critical|warning) \| (.+?) \|", page, re.MULTILINE)
    told = [(name, severity, re.findall(r"for (\d+) minute", when)) for name, severity, when in rows]
    assert told == [(one["alert"], one["labels"]["severity"], re.findall(r"\d+", one.get("for", ""))) for one in ALERTS]


def test_lines_on_the_dashboard_are_drawn_where_it_alerts() -> None:
    defaults = [(panel["targets"][0]["expr"], panel["fieldConfig"]["defaults"]) for panel in PANELS]
    drawn = {
        name: one["thresholds"]["steps"][1]["value"]
        for expression, one in defaults
        if "thresholdsStyle" in one.get("custom", {})
        for name in names_in([expression])
    }
    limits = {name: float(alert["expr"].split()[-1]) for alert in ALERTS for name in names_in([alert["expr"]])}
    assert sorted(drawn.values()) == [0.01, 0.02]
    assert drawn == {name: limits[name] for name in drawn}
