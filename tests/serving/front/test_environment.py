"""The variables that workers get: what engines and user code need, no secret of the operator's, and those named."""

from pathlib import Path

import psutil
import pytest

from serving.front.environment import worker_environment
from tests.handlers.variants import write_code
from tests.serving.front_server import front, spec


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "XDG_CACHE_HOME", "VIRTUAL_ENV", "JAVA_HOME"),
        *("PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "SSL_CERT_FILE"),
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY", "ORT_DISABLE_TELEMETRY", "OPENVINO_LOG_LEVEL"),
        *("TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "NM_ARCH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
        *("HF_HOME", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"),
        *("SM_MODEL_DIR", "SAGEMAKER_PROGRAM", "PARETOSERVE_ENVS"),
    ],
)
def test_what_engines_and_user_code_need_is_passed(name: str) -> None:
    assert worker_environment({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
        *("HF_TOKEN", "HUGGINGFACE_HUB_TOKEN", "PARETOSERVE_API_KEY", "PARETOSERVE_API_KEY_FILE"),
        *(
            "DATABASE_URL",
            "HTTPS_PROXY",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "KUBERNETES_PORT",
            "GITHUB_TOKEN",
            "omp_threads",
        ),
    ],
)
def test_what_is_the_operators_own_is_not_passed_unless_it_is_named(name: str) -> None:
    assert worker_environment({name: "x"}) == {}
    assert worker_environment({name: "x", "AWS_PROFILE": "y"}, [name, "NOT_SET"]) == {name: "x"}


def test_a_worker_of_a_running_server_has_the_usual_variables_the_named_ones_and_no_others(tmp_path: Path) -> None:
    folder = write_code(
        tmp_path / "mine", "import os\n\ndef model_fn(d): pass\n\ndef predict_fn(d, m): return {**os.environ}\n"
    )
    told = {"AWS_SECRET_ACCESS_KEY": "secret", "MY_SETTING": "mine", "SM_MODEL_DIR": "there", "OTHER": "no"}
    with front([spec(folder, "python")], env=told, pass_env=["MY_SETTING"]) as server:
        seen = server.ask("x").json()
        (pid,) = server.worker_pids()
        started_with = psutil.Process(pid).environ()
    assert {name: seen.get(name) for name in told} == {"MY_SETTING": "mine", "SM_MODEL_DIR": "there"} | dict.fromkeys(
        ["AWS_SECRET_ACCESS_KEY", "OTHER"]
    )
    assert seen["PATH"]
    # Nor do they lie in what the system shows of the process.
    assert not {"AWS_SECRET_ACCESS_KEY", "OTHER"} & started_with.keys()
