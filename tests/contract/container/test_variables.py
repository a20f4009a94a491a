"""SageMaker's environment variables: each is honoured, or named at the start with the reason why it is not."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_store.errors import ParetoServeError
from serving.front.sagemaker_variables import VARIABLES, execution_parameters, ignored_in, settings_from
from tests.handlers.variants import write_code

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "2", {"workers": 2}),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "90", {"execution_deadline_s": 90.0, "hang_timeout_s": 90.0}),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "7", {"execution_deadline_s": 7.0, "hang_timeout_s": 7.0}),
        ("SAGEMAKER_STARTUP_TIMEOUT", "600", {"load_timeout_s": 600.0}),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "20", {"max_body_bytes": 20 * MIB}),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "0", {"max_body_bytes": 100 * MIB}),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "30", {"log_level": "warning"}),
        ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "600", {"max_queue": 600}),
        ("SAGEMAKER_BATCH", "false", {}),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "", {}),
    ],
)
def test_a_variable_stands_for_settings(name: str, text: str, settings: dict[str, Any]) -> None:
    assert settings_from({name: text}) == settings


def test_seconds_count_before_the_older_variable() -> None:
    both = {"SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "7", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "90"}
    assert settings_from(both)["execution_deadline_s"] == 7.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "all"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "-1"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "15"),
    ],
)
def test_a_value_that_a_variable_cannot_have_is_told(name: str, text: str) -> None:
    with pytest.raises(ParetoServeError, match=re.escape(f"{name}='{text}' cannot be read")):
        settings_from({name: text})


def test_a_batch_job_of_many_records_may_send_as_many_rows_as_its_bodies_hold() -> None:
    many = settings_from({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "10"})
    assert (many["max_inputs"], many["queue_deadline_s"]) == (5 * MIB, 3600.0)
    one = settings_from({"SAGEMAKER_BATCH": "true", "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD"})
    assert "max_inputs" not in one


@pytest.mark.parametrize(
    ("max_body_bytes", "calls", "told"), [(6 * MIB, 2, (3, 6)), (50 * MIB, 8, (2, 50)), (1, 1, (2, 1))]
)
def test_a_job_is_told_how_much_to_send_at_a_time(max_body_bytes: int, calls: int, told: tuple[int, int]) -> None:
    parameters = execution_parameters(max_body_bytes, calls)
    assert (parameters["MaxConcurrentTransforms"], parameters["MaxPayloadInMB"]) == told
    assert parameters["BatchStrategy"] == "MULTI_RECORD"


def test_every_variable_has_one_meaning_and_what_is_ignored_or_unknown_says_why() -> None:
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)
    told = ignored_in(
        {"SAGEMAKER_SAFE_PORT_RANGE": "1-2", "SAGEMAKER_BATCH": "true", "SAGEMAKER_NEW": "1", "HOME": "/"}
    )
    assert list(told) == ["SAGEMAKER_SAFE_PORT_RANGE", "SAGEMAKER_NEW"]
    assert told["SAGEMAKER_SAFE_PORT_RANGE"] == "No second port is opened."


def serve(*arguments: str, **environment: str) -> str:
    """What `paretoserve serve` prints where it cannot listen."""
    command = [sys.executable, "-m", "paretoserve", "serve", *arguments, "--host", "256.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=100)
    return done.stdout + done.stderr


@pytest.mark.timeout(100)
def test_a_start_names_what_it_ignores_and_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    folder = str(write_code(tmp_path / "own", "def model_fn(model_dir):\n    return None"))
    told = serve(folder, SAGEMAKER_MODEL_SERVER_VMARGS="-Xmx1g")
    assert "SAGEMAKER_MODEL_SERVER_VMARGS is ignored: There is no Java virtual machine to tell." in told
    assert "error: SAGEMAKER_STARTUP_TIMEOUT='soon' cannot be read" in serve(folder, SAGEMAKER_STARTUP_TIMEOUT="soon")
    assert "Name the folder of a variant" in serve()
    assert "no folder '/opt/ml/model'" in serve(PARETOSERVE_VARIANT="/opt/ml/model")
    assert "Cannot listen on 256.0.0.1" in serve(PARETOSERVE_VARIANT="/opt/ml/model", SAGEMAKER_MULTI_MODEL="true")
