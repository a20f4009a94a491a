"""The manifests of examples/kubernetes are what Kubernetes, KServe and our own server take, and they agree."""

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from docs.generate import DOCS, commands
from paretoserve.hosts.process import running_server
from tests.examples.manifests import (
    EXAMPLES,
    KUSTOMIZATION,
    VERSIONS,
    Manifest,
    Models,
    assert_known_to_kubernetes,
    deployed,
    kserve,
    kserve_models,
    misfits,
    plain,
)
from tests.shown import blocks

PAGE = DOCS / "kubernetes.md"
PLAIN = plain()
RUNTIME, SERVICE = kserve()
DEPLOYMENTS = {"deployment.yaml": PLAIN["Deployment"], "kserve.yaml": deployed(RUNTIME, SERVICE)}

# What the image sets. Without arguments it serves this folder.
IMAGE_VARIABLES = {"PARETOSERVE_VARIANT": "/opt/ml/model"}

# Open connections are given 2 s after the drain, workers 2 s, and the last spans 1 s.
END_S = 5

pytestmark = pytest.mark.timeout(60)
by_version = pytest.mark.parametrize("version", VERSIONS)
by_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)


def pod_of(deployment: Manifest) -> Manifest:
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def container_of(deployment: Manifest) -> Manifest:
    (container,) = pod_of(deployment)["containers"]
    return dict(container)


def probes_of(deployment: Manifest) -> dict[str, Manifest]:
    container = container_of(deployment)
    return {name: container[f"{name}Probe"] for name in ("startup", "readiness", "liveness")}


def port_number(deployment: Manifest, port: int | str) -> int:
    """The number of a port that may be given by its name."""
    named = {one.get("name"): one["containerPort"] for one in container_of(deployment)["ports"]}
    return port if isinstance(port, int) else named[port]


def understood(deployment: Manifest, patch: pytest.MonkeyPatch) -> Any:
    """The command line of the container, read as `paretoserve serve` reads it."""
    container = container_of(deployment)
    for name, value in IMAGE_VARIABLES.items():
        patch.setenv(name, value)
    for variable in container.get("env", ()):
        patch.setenv(variable["name"], variable["value"])
    name, *arguments = container.get("args", ["serve"])
    return commands()[name].make_context(name, arguments)


def unread_variables(deployment: Manifest, patch: pytest.MonkeyPatch) -> set[str]:
    context = understood(deployment, patch)
    read = {
        f"PARETOSERVE_{name.upper()}"
        for name in context.params
        if context.get_parameter_source(name).name == "ENVIRONMENT"
    }
    return {variable["name"] for variable in container_of(deployment)["env"]} - read


# Schemas


@by_version
@pytest.mark.parametrize("kind", PLAIN)
def test_kubernetes_knows_every_field(kind: str, version: str) -> None:
    assert_known_to_kubernetes(PLAIN[kind], version)


@by_version
@pytest.mark.parametrize("kind", PLAIN)
def test_kubernetes_would_refuse_a_misspelt_field(kind: str, version: str) -> None:
    misspelt = copy.deepcopy(PLAIN[kind])
    misspelt["spec"]["sepc"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="'sepc' was unexpected"):
        assert_known_to_kubernetes(misspelt, version)


@by_version
def test_kubernetes_knows_every_field_that_kserve_hands_on(version: str) -> None:
    assert_known_to_kubernetes(DEPLOYMENTS["kserve.yaml"], version)


@by_version
@pytest.mark.parametrize("place", ["runtime", "container", "predictor", "model"])
def test_a_misspelt_field_that_kserve_would_hand_on_would_be_refused(place: str, version: str) -> None:
    runtime, service = copy.deepcopy(RUNTIME), copy.deepcopy(SERVICE)
    predictor = service["spec"]["predictor"]
    places = {
        "runtime": runtime["spec"],
        "container": runtime["spec"]["containers"][0]["readinessProbe"],
        "predictor": predictor,
        "model": predictor["model"],
    }
    places[place]["sepc"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="'sepc' was unexpected"):
        assert_known_to_kubernetes(deployed(runtime, service), version)


@pytest.fixture(scope="module")
def models() -> Models:
    return kserve_models()


@pytest.mark.timeout(300)
def test_kserve_knows_every_field(models: Models) -> None:
    assert not list(misfits(RUNTIME, "V1alpha1ServingRuntime", models))
    assert not list(misfits(SERVICE, "V1beta1InferenceService", models))


@pytest.mark.timeout(300)
def test_fields_that_kserve_does_not_know_would_be_noticed(models: Models) -> None:
    runtime, service = copy.deepcopy(RUNTIME), copy.deepcopy(SERVICE)
    runtime["spec"]["supportedModelFormats"][0]["autoselect"] = True
    runtime["spec"]["supportedModelFormats"][0]["version"] = 1
    service["spec"]["predictor"]["minReplica"] = 2
    service["spec"]["predictor"]["model"]["modelFormat"]["nam"] = "paretoserve"
    assert list(misfits(runtime, "V1alpha1ServingRuntime", models)) == [
        ".spec.supportedModelFormats[0].version is no str",
        ".spec.supportedModelFormats[0].autoselect is unknown",
    ]
    assert list(misfits(service, "V1beta1InferenceService", models)) == [
        ".spec.predictor.model.modelFormat.nam is unknown",
        ".spec.predictor.minReplica is unknown",
    ]


# The server


@by_deployment
def test_every_variable_is_an_option(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not unread_variables(deployment, monkeypatch)


@by_deployment
def test_a_misspelt_variable_would_be_noticed(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    misspelt = copy.deepcopy(deployment)
    pod_of(misspelt)["containers"][0]["env"].append({"name": "PARETOSERVE_QUEUE_DEADLIEN", "value": "1"})
    assert unread_variables(misspelt, monkeypatch) == {"PARETOSERVE_QUEUE_DEADLIEN"}


@by_deployment
def test_what_is_served_is_mounted_read_only(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = understood(deployment, monkeypatch).params["variant"]
    mounts = {mount["mountPath"]: mount for mount in container_of(deployment)["volumeMounts"]}
    assert mounts[folder]["readOnly"]


@by_deployment
def test_the_server_listens_where_all_look_for_it(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    port = understood(deployment, monkeypatch).params["port"]
    assert [one["containerPort"] for one in container_of(deployment)["ports"]] == [port]
    probed = [probe["httpGet"]["port"] for probe in probes_of(deployment).values()]
    assert {port_number(deployment, one) for one in probed} == {port}
    assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(port)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running_server([str(EXAMPLES.parent / "own-code")], log) as address:
        yield address


@by_deployment
def test_what_is_asked_for_is_answered(deployment: Manifest, url: str) -> None:
    paths = [probe["httpGet"]["path"] for probe in probes_of(deployment).values()]
    paths.append(deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"])
    assert {path: httpx.get(url + path).status_code for path in paths} == dict.fromkeys(paths, 200)


# Beginning and end


@by_deployment
def test_a_pod_has_the_time_that_its_end_takes(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    drain_s = understood(deployment, monkeypatch).params["drain_timeout"]
    pre_stop_s = container_of(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod_of(deployment)["terminationGracePeriodSeconds"] >= pre_stop_s + drain_s + END_S


@by_deployment
def test_a_load_is_given_the_time_that_the_server_gives_it(
    deployment: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = probes_of(deployment)["startup"]
    load_s = understood(deployment, monkeypatch).params["load_timeout"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= load_s


@by_deployment
def test_readiness_is_lost_sooner_than_a_pod_stops(deployment: Manifest) -> None:
    readiness = probes_of(deployment)["readiness"]
    pre_stop_s = container_of(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < pre_stop_s


@by_deployment
def test_a_server_that_loads_or_drains_is_not_taken_for_dead(deployment: Manifest) -> None:
    assert probes_of(deployment)["liveness"]["httpGet"]["path"] == "/v2/health/live"


@by_deployment
def test_an_update_takes_no_pod_away_before_the_next_is_ready(deployment: Manifest) -> None:
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


# Isolation and resources


@by_deployment
def test_a_pod_may_do_nothing_that_it_need_not(deployment: Manifest) -> None:
    pod, container = pod_of(deployment), container_of(deployment)
    context = pod.get("securityContext", {}) | container["securityContext"]
    assert context["runAsNonRoot"]
    assert context["runAsUser"] != 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert not pod["automountServiceAccountToken"]


@by_deployment
def test_services_do_not_set_options(deployment: Manifest) -> None:
    assert pod_of(deployment)["enableServiceLinks"] is False


@by_deployment
def test_only_tmp_can_be_written_and_it_is_bounded(deployment: Manifest) -> None:
    (mount,) = (one for one in container_of(deployment)["volumeMounts"] if not one.get("readOnly"))
    assert mount["mountPath"] == "/tmp"  # noqa: S108  the container's own
    volumes = {one["name"]: one for one in pod_of(deployment)["volumes"]}
    assert volumes[mount["name"]]["emptyDir"]["sizeLimit"]


@by_deployment
def test_pods_are_guaranteed_whole_cores(deployment: Manifest) -> None:
    resources = container_of(deployment)["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"].keys() == {"cpu", "memory"}
    assert re.fullmatch(r"[1-9]\d*", resources["limits"]["cpu"])


# The manifests among themselves


def test_every_selector_finds_the_pods() -> None:
    labels = PLAIN["Deployment"]["spec"]["template"]["metadata"]["labels"]
    (spread,) = pod_of(PLAIN["Deployment"])["topologySpreadConstraints"]
    selectors = [
        PLAIN["Deployment"]["spec"]["selector"]["matchLabels"],
        PLAIN["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        PLAIN["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        PLAIN["Service"]["spec"]["selector"],
        spread["labelSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_service_and_network_policy_lead_to_the_server() -> None:
    deployment = PLAIN["Deployment"]
    (served,) = PLAIN["Service"]["spec"]["ports"]
    (rule,) = PLAIN["NetworkPolicy"]["spec"]["ingress"]
    ports = [served["targetPort"], *(one["port"] for one in rule["ports"])]
    assert {port_number(deployment, one) for one in ports} == {8080}


def test_the_autoscaler_alone_says_how_many_pods_there_are() -> None:
    deployment, autoscaler = PLAIN["Deployment"], PLAIN["HorizontalPodAutoscaler"]["spec"]
    target = autoscaler["scaleTargetRef"]
    assert [target["apiVersion"], target["kind"]] == [deployment["apiVersion"], deployment["kind"]]
    assert target["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert autoscaler["minReplicas"] > PLAIN["PodDisruptionBudget"]["spec"]["maxUnavailable"]


@by_deployment
def test_the_variant_comes_from_the_claim(deployment: Manifest) -> None:
    (used,) = (one["persistentVolumeClaim"] for one in pod_of(deployment)["volumes"] if "emptyDir" not in one)
    assert used["claimName"] == PLAIN["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_kustomization_has_every_plain_manifest_and_names_their_image() -> None:
    files = {path.name for path in EXAMPLES.glob("*.yaml")}
    assert files - {"kserve.yaml", "kustomization.yaml"} == set(KUSTOMIZATION["resources"])
    (image,) = KUSTOMIZATION["images"]
    assert container_of(PLAIN["Deployment"])["image"] == f"{image['name']}:{image['newTag']}"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_kubectl_makes_the_same_of_the_kustomization() -> None:
    made = subprocess.run(["kubectl", "kustomize", EXAMPLES], capture_output=True, text=True, check=True).stdout
    assert {one["kind"]: one for one in yaml.safe_load_all(made)} == PLAIN


# KServe


def test_kserve_finds_the_runtime_by_the_format() -> None:
    model, runtime = SERVICE["spec"]["predictor"]["model"], RUNTIME["spec"]
    chosen = {one["name"] for one in runtime["supportedModelFormats"] if one["autoSelect"]}
    assert model["modelFormat"]["name"] in chosen
    assert model["protocolVersion"] in runtime["protocolVersions"]
    assert container_of(DEPLOYMENTS["kserve.yaml"])["name"] == "kserve-container"


def test_the_model_is_called_like_the_inference_service(monkeypatch: pytest.MonkeyPatch) -> None:
    name = SERVICE["metadata"]["name"]
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert understood(DEPLOYMENTS["kserve.yaml"], monkeypatch).params["name"] == name


def test_both_ways_run_the_server_alike() -> None:
    ours, theirs = (container_of(one) for one in DEPLOYMENTS.values())
    assert all(ours[field] == theirs[field] for field in ("env", "image", "lifecycle", "resources"))
    grace_s = [pod_of(one)["terminationGracePeriodSeconds"] for one in DEPLOYMENTS.values()]
    assert grace_s[0] == grace_s[1]


# The page


def shown(language: str) -> str:
    (block,) = (one for one in blocks(PAGE) if one.language == language)
    return block.text


def test_the_page_names_every_file() -> None:
    named = set(re.findall(r"\.\./examples/kubernetes/([\w-]+\.yaml)", PAGE.read_text()))
    assert named == {path.name for path in EXAMPLES.glob("*.yaml")}


@by_version
def test_the_metrics_that_the_page_shows_fit_the_autoscaler(version: str) -> None:
    autoscaler = copy.deepcopy(PLAIN["HorizontalPodAutoscaler"])
    autoscaler["spec"] |= yaml.safe_load(shown("yaml"))
    assert_known_to_kubernetes(autoscaler, version)


def test_the_image_that_the_page_shows_has_the_variant_where_it_is_served() -> None:
    _, copied = shown("dockerfile").splitlines()
    assert Path(copied.split()[-1]) == Path(IMAGE_VARIABLES["PARETOSERVE_VARIANT"])


def test_the_page_and_the_manifests_count_the_same_seconds() -> None:
    container = container_of(PLAIN["Deployment"])
    told = [
        container["lifecycle"]["preStop"]["sleep"]["seconds"],
        next(one["value"] for one in container["env"] if one["name"] == "PARETOSERVE_DRAIN_TIMEOUT"),
        pod_of(PLAIN["Deployment"])["terminationGracePeriodSeconds"],
    ]
    assert all(f"{seconds} s" in PAGE.read_text() for seconds in told)
