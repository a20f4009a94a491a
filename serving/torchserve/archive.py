"""What TorchServe reads: an archive's own files, and the server's settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from serving.torchserve.envelope import CONFIG_FILE, HandlerConfig

ARCHIVER_VERSION = "0.12.0"
"""Of torch-model-archiver, whose format this is."""

# Texts in a batch of TorchServe's, and how long the first of them waits for company, ms: the least that it can wait.
BATCH_SIZE, BATCH_DELAY_MS = 16, 1

# An archive's manifest has a time. It is always this one, so that the same variant gives the same bytes.
_CREATED = "01/01/1980 00:00:00"

_HANDLER = '"""See serving.torchserve.handler."""\n\nfrom serving.torchserve.handler import handle as handle\n'

# What hangs is found and ended by who supervises TorchServe, and bodies have their limit in front of it.
_NO_LIMIT_S, _NO_LIMIT_BYTES = 24 * 3600, 2**31 - 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where TorchServe listens, all of it on this machine only."""

    inference: str = "http://127.0.0.1:8080"
    management: str = "http://127.0.0.1:8081"
    metrics: str = "http://127.0.0.1:8082"
    grpc_inference_port: int = 7070
    grpc_management_port: int = 7071


def archive_files(name: str, config: HandlerConfig) -> dict[str, bytes]:
    """The files of an archive beside those of the variant, by their paths in it."""
    model = {"modelName": name, "handler": "handler.py", "modelVersion": "1.0"}
    manifest = {"createdOn": _CREATED, "runtime": "python", "model": model, "archiverVersion": ARCHIVER_VERSION}
    return {
        "MAR-INF/MANIFEST.json": json.dumps(manifest, indent=2).encode(),
        "handler.py": _HANDLER.encode(),
        CONFIG_FILE: msgspec.json.encode(config) + b"\n",
    }


def properties(name: str, archive: str, model_store: str, addresses: Addresses) -> str:
    """The text of `config.properties` for a server of one model: one worker, no model API, no remote archive."""
    model = {
        "defaultVersion": True,
        "marName": archive,
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": BATCH_SIZE,
        "maxBatchDelay": BATCH_DELAY_MS,
        "responseTimeout": _NO_LIMIT_S,
        "startupTimeout": _NO_LIMIT_S,
    }
    return _lines(
        {
            **_listeners(addresses),
            "model_store": model_store,
            "load_models": archive,
            "models": json.dumps({name: {"1.0": model}}),
            "enable_model_api": "false",
            "allowed_urls": "file://.*",
            "install_py_dep_per_model": "false",
            "disable_token_authorization": "true",
            "decode_input_request": "false",
            "job_queue_size": 1000,
            "max_request_size": _NO_LIMIT_BYTES,
            "max_response_size": _NO_LIMIT_BYTES,
            "number_of_netty_threads": 1,
            "netty_client_threads": 1,
            "async_logging": "true",
            "metrics_mode": "prometheus",
            "disable_system_metrics": "true",
            "vmargs": "-XX:-UsePerfData",
        }
    )


def _listeners(addresses: Addresses) -> dict[str, object]:
    return {
        "inference_address": addresses.inference,
        "management_address": addresses.management,
        "metrics_address": addresses.metrics,
        "grpc_inference_address": "127.0.0.1",
        "grpc_inference_port": addresses.grpc_inference_port,
        "grpc_management_address": "127.0.0.1",
        "grpc_management_port": addresses.grpc_management_port,
    }


def _lines(settings: Mapping[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
