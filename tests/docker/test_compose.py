"""The stack's file: who runs, how little they may do, and what they are given."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from tests.docker.stack import DOCKER, PROMETHEUS, ROOT, SERVICES, missing

BUILT = {name for name, service in SERVICES.items() if "build" in service}
SERVERS = BUILT - {"load"}

by_service = pytest.mark.parametrize("name", SERVICES)
by_built = pytest.mark.parametrize("name", sorted(BUILT))
by_server = pytest.mark.parametrize("name", sorted(SERVERS))


@pytest.mark.timeout(30)
def test_the_file_is_what_the_compose_specification_allows() -> None:
    if find_spec("check_jsonschema") is None:
        missing("There is no check-jsonschema, which knows the compose specification; install it with pip.")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(DOCKER / "compose.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_service_for_every_dockerfile() -> None:
    assert {file.suffix[1:] for file in DOCKER.glob("Dockerfile.*")} == BUILT


@by_built
def test_our_images_are_built_from_the_whole_repository_and_called_after_their_service(name: str) -> None:
    build = SERVICES[name]["build"]
    assert (DOCKER / build["context"]).resolve() == ROOT
    assert (build["dockerfile"], SERVICES[name]["image"]) == (f"docker/Dockerfile.{name}", f"paretoserve:{name}")


def test_other_images_are_pinned_and_name_no_registry() -> None:
    for name in SERVICES.keys() - BUILT:
        image, _, tag = SERVICES[name]["image"].partition(":")
        assert tag.count(".") == 2
        assert "." not in image


def test_ports_are_published_on_loopback_and_none_twice() -> None:
    published = [port.split(":") for service in SERVICES.values() for port in service.get("ports", ())]
    assert {host for host, _, _ in published} == {"127.0.0.1"}
    assert len({port for _, port, _ in published}) == len(published) == len(SERVERS) + 2


@by_service
def test_services_write_to_memory_only_and_can_gain_no_right(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.split(":")[0] == "/tmp" for mount in service["tmpfs"])  # noqa: S108  in the container


@by_built
def test_our_images_do_not_run_as_root(name: str) -> None:
    assert SERVICES[name]["user"] == "${AS_USER:-1000:1000}"


@by_server
def test_servers_have_limits_and_the_time_to_drain(name: str) -> None:
    service = SERVICES[name]
    assert service["cpus"].startswith("${CPUS:-")
    assert service["mem_limit"].startswith("${MEMORY:-")
    assert (service["stop_grace_period"], service["restart"]) == ("30s", "unless-stopped")


@by_server
def test_servers_serve_a_variant_of_the_model_that_they_cannot_change(name: str) -> None:
    (mount,) = SERVICES[name]["volumes"]
    assert mount["target"] == "/opt/ml/model"
    assert mount["source"] == f"${{MODEL:-../store/sst2}}/${{{name.upper()}_VARIANT:-${{VARIANT:-dense}}}}"
    assert mount["read_only"] is True
    assert mount["bind"] == {"create_host_path": False}


def test_what_is_mounted_is_there_and_only_what_is_kept_can_be_written() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ()) if isinstance(mount, dict)]
    shipped = [mount for mount in mounts if not mount["source"].startswith("$")]
    assert len(shipped) == 4
    assert all((DOCKER / mount["source"]).exists() for mount in shipped)
    assert [mount["target"] for mount in mounts if not mount["read_only"]] == ["/runs"]


def test_the_load_generator_starts_only_when_it_is_asked_for() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["load"]


def test_prometheus_watches_all_servers_and_nothing_else() -> None:
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    (group,) = job["static_configs"]
    assert sorted(group["targets"]) == [f"{name}:8080" for name in sorted(SERVERS)]
    assert all(SERVICES[name]["ports"][0].endswith(":8080") for name in SERVERS)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = yaml.safe_load((DOCKER / "grafana" / "datasource.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((DOCKER / "grafana" / "provider.yml").read_text())["providers"]
    targets = [mount["target"] for mount in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/paretoserve.json" in targets
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in targets


def test_the_page_says_where_each_service_listens() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| `(127\.0\.0\.1:\d+)`", page, re.MULTILINE))
    ports = {name: service["ports"][0].rpartition(":")[0] for name, service in SERVICES.items() if "ports" in service}
    assert told == ports
