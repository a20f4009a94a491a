"""One worker, one front thread; the shortest wait for further requests that TorchServe takes, a millisecond."""

import json
import os
import sys
from pathlib import Path

from benchmarks.peers.common.arguments import HOST, Arguments, free_port, read_arguments
from benchmarks.peers.torchserve import handler

BATCH_DELAY_MS = 1
LOG4J = """<Configuration>
  <Appenders><Console name="STDERR" target="SYSTEM_ERR"><PatternLayout pattern="%p %c %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="STDERR"/></Root>
  <Logger name="MODEL_LOG" level="warn"/><Logger name="ACCESS_LOG" level="off"/>
  <Logger name="TS_METRICS" level="off"/><Logger name="MODEL_METRICS" level="off"/></Loggers>
</Configuration>
"""


def model_store(folder: Path) -> Path:
    """A store with one model in a folder, as the model archiver writes it: a manifest and a handler."""
    info = folder / "sst2" / "MAR-INF"
    info.mkdir(parents=True)
    model = {"modelName": "sst2", "modelVersion": "1.0", "handler": "handler.py"}
    manifest = {"createdOn": "today", "runtime": "python", "archiverVersion": "0.12.0", "model": model}
    (info / "MANIFEST.json").write_text(json.dumps(manifest))
    (info.parent / "handler.py").write_text(f"from {handler.__name__} import handle\n")
    return folder


def config(arguments: Arguments, store: Path) -> str:
    model = {
        "defaultVersion": True,
        "marName": "sst2",
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": arguments.max_batch,
        "maxBatchDelay": BATCH_DELAY_MS,
    }
    settings = {
        "inference_address": f"http://{HOST}:{arguments.port}",
        "management_address": f"http://{HOST}:{free_port()}",
        "metrics_address": f"http://{HOST}:{free_port()}",
        "grpc_inference_port": free_port(),
        "grpc_management_port": free_port(),
        "model_store": store,
        "load_models": "sst2",
        "models": json.dumps({"sst2": {"1.0": model}}),
        "number_of_netty_threads": 1,
        "netty_client_threads": 1,
        "job_queue_size": 1000,
        "disable_system_metrics": "true",
        "disable_token_authorization": "true",
        "async_logging": "true",
        "vmargs": "-XX:-UsePerfData",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def start(arguments: Arguments) -> None:
    """Become TorchServe, with all its files below the working directory."""
    folder = Path.cwd()
    (folder / "config.properties").write_text(config(arguments, model_store(folder / "store")))
    (folder / "log4j2.xml").write_text(LOG4J)
    os.environ |= {
        handler.VARIANT: str(arguments.variant),
        "TEMP": str(folder),
        "LOG_LOCATION": str(folder / "logs"),
        "METRICS_LOCATION": str(folder / "logs"),
    }
    options = ["--start", "--foreground", "--no-config-snapshots", "--disable-token-auth"]
    files = ["--ts-config", "config.properties", "--log-config", "log4j2.xml"]
    os.execv(sys.executable, [sys.executable, "-m", "ts.model_server", *options, *files])  # noqa: S606


if __name__ == "__main__":
    start(read_arguments())
