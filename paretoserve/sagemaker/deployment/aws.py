"""Carries out calls of AWS. The one file that knows boto3, which is imported only when something is to be deployed.

Credentials, region, addresses and retries are boto3's own configuration (environment, profiles, AWS_MAX_ATTEMPTS).
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_store.errors import EnvironmentUnavailable, ParetoServeError
from paretoserve.sagemaker.deployment.calls import HIDDEN, Call, Upload, secrets_in

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

Sent = Callable[[float], None]
"""Called with the share of a file that was sent, 0 to 1."""

MISSING_BOTO3 = "Endpoints of SageMaker need boto3; run: pip install 'paretoserve[sagemaker]'."

# What AWS says where there is nothing of a name: SageMaker's code for it is the one of all invalid requests.
_MISSING_CODES = ("ObjectNotFoundException", "ResourceNotFound", "ResourceNotFoundException", "404", "NoSuchKey")
_MISSING_WORDS = ("could not find", "no scalable target")


class DeploymentError(ParetoServeError):
    """AWS refused a call, or gave no answer.

    `is_missing`: what the call is about does not exist. `may_be_done`: it is not known whether AWS did it.
    """

    def __init__(self, message: str, *, is_missing: bool = False, may_be_done: bool = False) -> None:
        self.is_missing = is_missing
        self.may_be_done = may_be_done
        super().__init__(message)


class Aws:
    """One account in one region; see `connect`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self.region: str = session.region_name

    def do(self, call: Call, sent: Sent | None = None) -> dict[str, Any]:
        """The answer of AWS. `sent` follows an upload.

        Raises:
            DeploymentError: AWS refused it, or could not be reached.
        """
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with ExitStack() as files:
                arguments = {
                    name: files.enter_context(_Watched(value.path, sent)) if isinstance(value, Upload) else value
                    for name, value in call.arguments.items()
                }
                answer: dict[str, Any] = getattr(self._client(call.service), xform_name(call.operation))(**arguments)
                return answer
        except ClientError as exc:
            raise _refused(call, exc) from exc
        except (BotoCoreError, ValueError) as exc:
            message = f"AWS gave no answer to {call.operation}: {_told(call, exc)}"
            raise DeploymentError(f"{message.rstrip('.')}.", may_be_done=True) from exc

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]


def connect(region: str | None = None) -> Aws:
    """AWS as the environment and its profile configure it; nothing is asked yet.

    Raises:
        EnvironmentUnavailable: boto3 is not installed.
        ParetoServeError: no region is known, or there is no such profile.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise EnvironmentUnavailable(MISSING_BOTO3) from exc
    try:
        session = boto3.session.Session(region_name=region)
        known = session.region_name
    except BotoCoreError as exc:
        raise ParetoServeError(f"AWS is not configured: {str(exc).rstrip('.')}; correct AWS_PROFILE.") from exc
    if not known:
        raise ParetoServeError(
            "No region of AWS is known; give --region eu-west-1, or set AWS_DEFAULT_REGION or the profile's region."
        )
    return Aws(session)


@lru_cache
def known_instance_types() -> frozenset[str]:
    """The instance types that endpoints may have, as the installed boto3 knows them.

    Raises:
        EnvironmentUnavailable: boto3 is not installed.
    """
    try:
        from botocore.session import get_session
    except ImportError as exc:
        raise EnvironmentUnavailable(MISSING_BOTO3) from exc
    shape: Any = get_session().get_service_model("sagemaker").shape_for("ProductionVariantInstanceType")
    return frozenset(shape.enum)


def _refused(call: Call, exc: "ClientError") -> DeploymentError:
    code, message = exc.response["Error"].get("Code", ""), _told(call, exc.response["Error"].get("Message", ""))
    is_missing = code in _MISSING_CODES or any(words in message.lower() for words in _MISSING_WORDS)
    # A refusal after a repetition may be that of something which the first attempt made.
    was_repeated = exc.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
    said = f"AWS refused {call.operation} ({code}): {message}"
    return DeploymentError(f"{said.rstrip('.')}.", is_missing=is_missing, may_be_done=was_repeated)


def _told(call: Call, problem: object) -> str:
    """What AWS or boto3 says, on one line; they repeat arguments, among which may be secrets."""
    text = " ".join(str(problem).split())
    for secret in secrets_in(call.arguments):
        text = text.replace(secret, HIDDEN)
    return text


class _Watched(FileIO):
    """A file that says how much of it was read, in steps of a hundredth."""

    def __init__(self, path: Path, sent: Sent | None) -> None:
        super().__init__(path)
        self._size, self._sent, self._hundredth = path.stat().st_size, sent, -1

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size)
        hundredth = 100 * self.tell() // max(1, self._size)
        if self._sent and hundredth != self._hundredth:
            self._hundredth = hundredth
            self._sent(hundredth / 100)
        return data
