"""The environment variables that a worker gets: what engines and user code need, and none of the operator's secrets."""

from collections.abc import Mapping, Sequence

# By name: where things lie, who runs this, and the language.
_NAMES = frozenset(
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TZDIR TMPDIR TEMP TMP VIRTUAL_ENV CONDA_PREFIX CC CXX JAVA_HOME"
    " REQUESTS_CA_BUNDLE CURL_CA_BUNDLE CI NO_COLOR".split()
)

# By how the name begins: settings of the interpreter, of engines and of what they compute with, and SageMaker's.
_PREFIXES = (
    *("LC_", "LD_", "PYTHON", "XDG_", "SSL_CERT_", "MALLOC_", "GLIBC_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "TBB_", "DNNL_", "ONEDNN_"),
    *("ORT_", "ONNX", "OPENVINO_", "OV_", "TORCH", "PYTORCH_", "ATEN_", "TRITON_", "NM_", "DEEPSPARSE_", "TS_"),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NCCL_", "NVIDIA_", "JAVA_", "JDK_"),
    *("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TOKENIZERS_"),
    *("SM_", "SAGEMAKER_", "PARETOSERVE_"),
)

# A word of a name that says that the value is a secret: HF_TOKEN is not passed, TOKENIZERS_PARALLELISM is.
_SECRET = frozenset(
    "TOKEN TOKENS KEY KEYS SECRET SECRETS PASSWORD PASSWD PASSPHRASE CREDENTIAL CREDENTIALS AUTH".split()
)


def worker_environment(variables: Mapping[str, str], named: Sequence[str] = ()) -> dict[str, str]:
    """Of the server's variables those that its workers get: the usual ones, and those that the operator named."""
    return {name: value for name, value in variables.items() if name in named or _is_usual(name)}


def _is_usual(name: str) -> bool:
    return name in _NAMES or (name.startswith(_PREFIXES) and not _SECRET & set(name.upper().split("_")))
