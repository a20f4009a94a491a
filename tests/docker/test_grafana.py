"""The dashboard, its queries asked of a real Prometheus that watches a real server under load."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from loadtest.results.phases import WORKER_PHASES
from serving.front.metrics import Metrics
from serving.front.settings import VariantSpec
from tests.docker.stack import ALERTS, DASHBOARD, PANELS, RECORDS, program, prometheus
from tests.handlers.variants import build_dense
from tests.serving.front_server import Front, front, until

SERVED = {"dense": "onnxruntime", "int8": "openvino"}
BOTH = {f"{variant}@{backend}" for variant, backend in SERVED.items()}
# Of whichever is first, for it starts the server; the others wait for what Prometheus sees within seconds.
pytestmark = pytest.mark.timeout(120)

LEGEND = "{{variant}}@{{backend}}"
VARIABLES: dict[str, dict[str, Any]] = {one["name"]: one for one in DASHBOARD["templating"]["list"]}


@dataclass(frozen=True, slots=True)
class Watched:
    """A server that Prometheus watches."""

    server: Front
    prometheus: httpx.Client

    def answer(self, path: str, **parameters: str) -> Any:
        answer = self.prometheus.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, str]]:
        """The labels of all series of which there are numbers, with another request to each variant before."""
        assert all(self.server.ask("w1", variant).status_code == 200 for variant in SERVED)
        found = self.answer("query", query=expression)["result"]
        return [one["metric"] for one in found if not math.isnan(float(one["value"][1]))]

    def throng(self) -> list[int]:
        """The statuses of more requests at once than there is room for."""
        answers = [self.server.asking("w1", variant) for variant in SERVED for _ in range(16)]
        return [answer.result().status_code for answer in answers]

    def count(self, name: str, **labels: str) -> float:
        """Of the variant that has least."""
        return min(self.server.metric(name, variant=variant, **labels) for variant in SERVED)


def as_grafana_does(expression: str, values: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda name: values[name[1]], expression)


def chosen(watched: Watched) -> dict[str, str]:
    """The variables with All chosen, their values fetched as Grafana fetches them; the quantile as it is at first."""
    values = {"quantile": VARIABLES["quantile"]["current"]["value"]}
    for name in ("variant", "backend"):
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", VARIABLES[name]["query"]["query"])
        assert asked
        series = as_grafana_does(asked[1], values)
        values[name] = f"({'|'.join(watched.answer(f'label/{asked[2]}/values', **{'match[]': series}))})"
    return values


def legend_of(labels: dict[str, str], legend: str = LEGEND) -> str:
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), legend)


def until_shown(watched: Watched, query: str, expected: set[str], legend: str = LEGEND) -> None:
    until(lambda: {legend_of(labels, legend) for labels in watched.query(query)} == expected)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Two variants that have answered, refused, failed and been started again, each of it before Prometheus's eyes."""
    program("prometheus")  # or no need to start the rest
    folder = tmp_path_factory.mktemp("watched")
    dense = build_dense(folder)
    specs = [VariantSpec(name, dense, backend) for name, backend in SERVED.items()]
    with front(specs, max_queue=2) as server, prometheus(server.http.base_url.netloc.decode(), folder / "p") as http:
        both = Watched(server, http)
        until(lambda: len(both.query("paretoserve_worker_ready")) == len(SERVED))
        until(lambda: both.throng() and both.count("requests_total", code="429"))
        for pid in server.worker_pids():
            psutil.Process(pid).kill()
        until(lambda: both.throng() and both.count("requests_total", code="503"))
        until(lambda: server.is_ready() and both.count("worker_restarts_total"))
        yield both


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_shows_the_variants_side_by_side(panel: dict[str, Any], watched: Watched) -> None:
    values = chosen(watched)
    for target in panel["targets"]:
        until_shown(watched, as_grafana_does(target["expr"], values), BOTH, target["legendFormat"])


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_can_show_one_variant_alone(panel: dict[str, Any], watched: Watched) -> None:
    values = chosen(watched) | {"variant": "int8"}
    for target in panel["targets"]:
        until_shown(watched, as_grafana_does(target["expr"], values), {"int8@openvino"})


@pytest.mark.parametrize("phase", WORKER_PHASES)
def test_every_phase_of_an_answer_has_a_panel_by_its_metric(phase: str) -> None:
    metric = f"paretoserve_{'inference' if phase == 'infer' else phase}_duration_seconds"
    assert metric in {family.name for family in Metrics().registry.collect()}
    shown = [panel["title"] for panel in PANELS if f":{metric}:" in panel["targets"][0]["expr"]]
    assert len(shown) == 1, f"{phase} is on {shown}"


def test_every_quantile_on_offer_is_recorded(watched: Watched) -> None:
    offered = VARIABLES["quantile"]["query"].split(",")
    panels = [panel for panel in PANELS if "$quantile" in panel["targets"][0]["expr"]]
    assert len(panels) == 2
    for panel in panels:
        for quantile in offered:
            values = chosen(watched) | {"quantile": quantile}
            until_shown(watched, as_grafana_does(panel["targets"][0]["expr"], values), BOTH)


@pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: f"{rule['record']}-{rule.get('labels', '')}")
def test_every_rule_records_numbers_of_both_variants(rule: dict[str, Any], watched: Watched) -> None:
    labels = ",".join(f'{name}="{value}"' for name, value in rule.get("labels", {}).items())
    until_shown(watched, f"{rule['record']}{{{labels}}}", BOTH)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_compares_what_there_is(alert: dict[str, Any], watched: Watched) -> None:
    compared, comparisons = re.subn(r" (?:==|>) [\d.]+", "", alert["expr"])
    assert comparisons
    until(lambda: watched.query(compared))


def alerting(watched: Watched, name: str) -> set[str]:
    """The variants for which an alert fires, or will unless this passes."""
    alerts = [alert["labels"] for alert in watched.answer("alerts")["alerts"]]
    return {legend_of(labels) for labels in alerts if labels["alertname"] == name}


def test_workers_that_were_killed_alert(watched: Watched) -> None:
    until(lambda: alerting(watched, "ParetoServeWorkerRestarting") == BOTH)


def test_rejections_alert(watched: Watched) -> None:
    until(lambda: watched.throng() and alerting(watched, "ParetoServeThrottling") == BOTH)


def test_panels_say_what_they_show_and_lie_beside_one_another() -> None:
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
