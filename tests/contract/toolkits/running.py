"""The cases, answered by us and by the published toolkits."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from handlers.backends.base import Placement
from handlers.handler import load_handler
from handlers.inferred import manifest_of
from handlers.payloads.request import RawRequest
from model_store.errors import OwnCodeError, ParetoServeError
from paretoserve.environments.virtual_environment import Contents, environment
from serving.front.http_errors import status_of
from tests.contract.toolkits.cases import CASES, Case
from tests.environments import FOLDER

HERE = Path(__file__).parent
OBSERVED = HERE / "observed.json"
"""What the published toolkits answered, as it was observed last."""

Outcome = dict[str, Any]

JSON_ERROR = "application/json"
BINARY = ("application/x-npy", "application/octet-stream")


def ours(case: Case, folder: Path) -> Outcome:
    """What we answer, in the form of `published.py`; status 0 is a start that failed."""
    (folder / "code").mkdir(parents=True)
    for name, source in case.all_files.items():
        (folder / "code" / name).write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setenv(name, value)
        try:
            handler = load_handler(folder, manifest_of(folder), "python", Placement())
        except ParetoServeError as exc:
            return {"status": 0, "type": "", "body": str(exc)}
    headers = {name.lower(): value for name, value in case.all_headers.items()}
    raw = RawRequest(case.body, case.content_type or "", case.accept or "", headers=headers)
    try:
        answer = handler.run_alone(handler.prepare(raw))
    except ParetoServeError as exc:
        status = exc.status if isinstance(exc, OwnCodeError) else status_of(type(exc).__name__)
        return {"status": status, "type": JSON_ERROR, "body": str(exc)}
    body = answer.body.decode("latin-1" if answer.content_type in BINARY else "utf-8")
    headers = dict(answer.headers)
    return {"status": answer.status or 200, "type": answer.content_type, "body": body, "headers": headers}


def separately(case: Case, folder: Path) -> Outcome:
    """The same, and what was imported and where modules are found is as before."""
    modules, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    try:
        return ours(case, folder)
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]


def published() -> dict[str, dict[str, Outcome]]:
    """What each toolkit answers to each case, by the names of both; its environment is made on first use."""
    python = environment(
        "sagemaker-toolkits", Contents(HERE / "toolkits.txt", complete=True), FOLDER, Path(sys.executable)
    )
    cases = [
        {
            "name": case.name,
            "files": case.all_files,
            "body": base64.b64encode(case.body).decode(),
            "headers": case.all_headers,
            "environment": dict(case.environment),
        }
        for case in CASES
    ]
    done = subprocess.run(
        [str(python), str(HERE / "published.py")], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    found: dict[str, dict[str, Outcome]] = json.loads(done.stdout.splitlines()[-1])
    return found
