"""The manifests of examples/kubernetes, and what they are held to: the schemas of Kubernetes and of KServe."""

import ast
import copy
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from paretoserve.environments.virtual_environment import Contents, environment, site_packages_of
from tests.environments import FOLDER

EXAMPLES = Path(__file__).parents[2] / "examples" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((EXAMPLES / "kustomization.yaml").read_text())

# The first with `sleep` among the handlers of preStop, and the newest that is known.
VERSIONS = ("1.30", kubernetes_validate.latest_version())

Manifest = dict[str, Any]
# Types of the fields of each of KServe's models, by their names in a manifest.
Models = Mapping[str, Mapping[str, str]]

# What KServe itself reads of a runtime, of a predictor and of its model; the rest becomes part of a Deployment.
RUNTIME_FIELDS = {"annotations", "labels", "protocolVersions", "supportedModelFormats"}
PREDICTOR_FIELDS = {"deploymentStrategy", "maxReplicas", "minReplicas", "model", "scaleMetric", "scaleTarget"}
MODEL_FIELDS = {"modelFormat", "protocolVersion", "runtime", "storageUri"}


def read(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def plain() -> dict[str, Manifest]:
    """The manifests that need nothing but Kubernetes, by their kinds."""
    return {one["kind"]: one for name in KUSTOMIZATION["resources"] for one in read(name)}


def kserve() -> tuple[Manifest, Manifest]:
    """A runtime, and the service that uses it."""
    runtime, service = read("kserve.yaml")
    return runtime, service


def deployed(runtime: Manifest, service: Manifest) -> Manifest:
    """The Deployment that KServe makes of the two in its mode `Standard`, as far as they say what is in it."""
    of_runtime, predictor = copy.deepcopy(runtime["spec"]), copy.deepcopy(service["spec"]["predictor"])
    (container,) = of_runtime["containers"]
    container["args"] = [one.replace("{{.Name}}", service["metadata"]["name"]) for one in container["args"]]
    container |= _less(predictor["model"], MODEL_FIELDS)
    claim, _, path = predictor["model"]["storageUri"].removeprefix("pvc://").partition("/")
    mount = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "subPath": path, "readOnly": True}
    container["volumeMounts"].append(mount)
    of_runtime["volumes"].append({"name": mount["name"], "persistentVolumeClaim": {"claimName": claim}})
    labels = {"app": f"isvc.{service['metadata']['name']}-predictor"}
    metadata = {"labels": labels, "annotations": of_runtime["annotations"]}
    pod = _less(of_runtime, RUNTIME_FIELDS) | _less(predictor, PREDICTOR_FIELDS)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": service["metadata"],
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": predictor["deploymentStrategy"],
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def _less(fields: Manifest, names: set[str]) -> Manifest:
    return {name: value for name, value in fields.items() if name not in names}


def assert_known_to_kubernetes(manifest: Manifest, version: str) -> None:
    """Unknown fields are errors, too."""
    kubernetes_validate.validate(manifest, version, strict=True)


def kserve_models() -> Models:
    """From the package of KServe's clients, whose models are generated from its resource definitions."""
    contents = Contents(Path(__file__).with_name("kserve.txt"), complete=True)
    made = environment("kserve", contents, FOLDER, Path(sys.executable)).parents[1]
    sources = (site_packages_of(made) / "kserve" / "models").glob("v1*.py")
    return dict(_model(source) for source in sources)


def _model(source: Path) -> tuple[str, dict[str, str]]:
    """The one class in a file, read and not run: running it takes all that KServe depends on."""
    (cls,) = (node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef))
    stated = {
        target.id: ast.literal_eval(node.value)
        for node in cls.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    types, names = stated["openapi_types"], stated["attribute_map"]
    return cls.name, {names[field]: types[field] for field in types}


def misfits(value: Any, kind: str, models: Models, at: str = "") -> Iterator[str]:
    """Where `value` is not what KServe knows by the type `kind`.

    A type that is none of KServe's is one of Kubernetes, and is looked at in the Deployment that is made of it.
    """
    primitive = {"str": str, "int": int, "bool": bool}.get(kind)
    if primitive:
        if type(value) is not primitive:
            yield f"{at} is no {kind}"
    elif found := re.fullmatch(r"list\[(\w+)\]", kind):
        for place, one in enumerate(value):
            yield from misfits(one, found[1], models, f"{at}[{place}]")
    elif found := re.fullmatch(r"dict\(str, (\w+)\)", kind):
        for name, one in value.items():
            yield from misfits(one, found[1], models, f"{at}.{name}")
    elif kind in models:
        for name, one in value.items():
            if name in models[kind]:
                yield from misfits(one, models[kind][name], models, f"{at}.{name}")
            else:
                yield f"{at}.{name} is unknown"
