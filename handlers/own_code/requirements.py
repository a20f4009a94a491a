"""What the user's code needs besides this environment: `code/requirements.txt`, installed where the operator allows it.

What is there already stays as it is, in its version: it was measured so. What is new goes into a folder of the user's
cache, once for each state of the file, and is found after all else.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.machinery import PathFinder
from importlib.metadata import distributions
from pathlib import Path

from model_store.code import CODE_FOLDER, read_hashed_code
from model_store.errors import BackendError

REQUIREMENTS = f"{CODE_FOLDER}/requirements.txt"
_ALLOW = "serve it with --install-requirements"


def advice(model_dir: Path, error: BaseException) -> str:
    """What to do about an import that failed, as a sentence; nothing for any other error."""
    if not isinstance(error, ModuleNotFoundError):
        return ""
    if (model_dir / REQUIREMENTS).is_file():
        return (
            f". It may be one of {REQUIREMENTS} ({_named(model_dir / REQUIREMENTS)}): {_ALLOW}, or install it into the "
            "interpreter that runs this backend."
        )
    if str(error.name).partition(".")[0] == "transformers":
        return (
            ". This environment has no transformers: serve the folder as DIR@transformers (in the image "
            f"paretoserve:transformers), or name it in {REQUIREMENTS} and {_ALLOW}."
        )
    return f". Name what it needs in {REQUIREMENTS} and {_ALLOW}, or install it into the interpreter that runs it."


def _named(file: Path) -> str:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8", "replace").splitlines())
    return ", ".join(line for line in lines if line and not line.startswith("-"))[:200]


def install_requirements(model_dir: Path, sha256: Mapping[str, str] | None) -> None:
    """Install what `code/requirements.txt` names, if there is one, and have it found.

    Raises:
        BackendError: pip cannot install it beside what is here.
        StoreError: the file is not the one that was hashed.
    """
    if not (model_dir / REQUIREMENTS).is_file():
        return
    code = None if sha256 is None else read_hashed_code(model_dir, sha256)
    content = (model_dir / REQUIREMENTS).read_bytes() if code is None else code[REQUIREMENTS]
    here = _installed()
    folder = _cache() / hashlib.sha256(b"\n".join([content, *(one.encode() for one in here)])).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of the variant start, too
        if not (folder / ".ready").exists():
            _install(content, here, folder)
            (folder / ".ready").touch()
    sys.path += [str(one) for one in folder.glob("lib*/python*/site-packages")]


def _installed() -> list[str]:
    """What this environment has, in its versions; what was put into the cache is not of it."""
    paths = [one for one in sys.path if not Path(one).is_relative_to(_cache())]
    return sorted({f"{one.name}=={one.version}" for one in distributions(path=paths) if one.name})


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paretoserve" / "requirements"


def _install(content: bytes, installed: Iterable[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        asked, held = Path(work) / "requirements.txt", Path(work) / "installed.txt"
        asked.write_bytes(content)
        held.write_text("\n".join(installed))
        command = [*_pip(), "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
        command += ["--prefix", str(folder), "--constraint", str(held), "--requirement", str(asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  pip, of this interpreter
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = (errors or done.stderr.splitlines() or ["pip said nothing"])[0].removeprefix("ERROR: ")
        raise BackendError(f"{REQUIREMENTS} cannot be installed beside what is in this environment: {reason}")


def _pip() -> list[str]:
    """Ours, or that of the interpreter behind this environment."""
    if PathFinder.find_spec("pip"):  # setuptools' own finder warns when it is asked for pip
        return [sys.executable, "-m", "pip"]
    return [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "--python", sys.executable]
