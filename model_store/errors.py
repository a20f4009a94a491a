"""The errors that people meet, one tree.

    ParetoServeError
    ├── BadInput                  the caller's request or file cannot be understood
    │   ├── UnsupportedMediaType  its content type or encoding is none of ours
    │   ├── NotAcceptable         no content type it accepts is one of ours
    │   ├── TooLarge              it is over a stated limit
    │   └── DataError             a data file lacks a column, a label, or rows
    ├── RecipeError               a recipe cannot be read, or one of its steps cannot be done
    ├── UnknownHost               the request is for a host that this server is not
    ├── Unauthorized              the server wants a key, and the request has none that it knows
    ├── UnknownVariant            no such variant is served or stored
    │   ├── UnknownModel          no such model is loaded, or there is no folder to load it from
    │   └── UnknownVersion        it is, but not in that version
    ├── AlreadyLoaded             there is a model of this name
    ├── NoMemory                  there is no memory for a model more
    ├── StoreError                a variant on disk cannot be used
    │   ├── DamagedArtifact       a file differs from what its manifest says
    │   ├── UnsafeArchive         an archive holds what could do harm, and is not unpacked
    │   ├── UnsupportedManifest   the manifest is of a later schema, or is no manifest
    │   └── UnsupportedCheckpoint the checkpoint is none that a recipe can read
    ├── BackendError              an engine failed to load, or failed on a batch
    │   ├── GoldenMismatch        an engine runs, but answers differently from its recipe
    │   └── OwnCodeError          the variant's own code failed, and names the status to answer with
    ├── EnvironmentUnavailable    what an engine needs is not installed, or cannot be
    ├── Overloaded                the server is full: try again after a while
    ├── DeadlineExceeded          the answer would come too late to be of use
    ├── NotReady                  the variant is loading, restarting or draining
    └── WorkerFailed              a worker died with this request in its hands

Each message is one sentence or two, says what to do, and is fit to be shown to a client: no traceback, no
path of the server's own. Nothing here knows a status code; `serving.front.http_errors` maps classes to those.
"""


class ParetoServeError(Exception):
    """Base of every error that ParetoServe raises on purpose."""


class BadInput(ParetoServeError):
    """The caller's request cannot be understood; the message says what is accepted."""


class UnsupportedMediaType(BadInput):
    """The content type of a request, or the way that it is packed, is none that the handler reads."""

    def __init__(self, given: str, accepted: tuple[str, ...], what: str = "Content type") -> None:
        super().__init__(f"{what} {given!r} is not supported; send one of {', '.join(accepted)}.")


class NotAcceptable(BadInput):
    """None of the content types in `Accept` can be written."""

    def __init__(self, given: str, offered: tuple[str, ...]) -> None:
        super().__init__(f"Cannot answer as {given!r}; accept one of {', '.join(offered)}.")


class TooLarge(BadInput):
    """A body, or a list of inputs, is over a stated limit."""


class DataError(BadInput):
    """A data file lacks a column, a label or rows."""


class RecipeError(ParetoServeError):
    """A recipe cannot be read, or one of its steps cannot be done."""


class UnknownHost(ParetoServeError):
    """The `Host` of a request is none of the server's own names, as where a web page has its name lead here."""


class Unauthorized(ParetoServeError):
    """The server wants a key, and the request has none that it knows."""


class UnknownVariant(ParetoServeError):
    """No variant of that name is served or stored."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no variant {name!r} here; choose one of {', '.join(known) or '(none)'}.")


class UnknownModel(UnknownVariant):
    """No model of that name is loaded, or there is no folder to load it from."""

    def __init__(self, message: str) -> None:
        ParetoServeError.__init__(self, message)


class UnknownVersion(UnknownVariant):
    """A variant of that name is served, but not in the version that was asked for."""

    def __init__(self, name: str, version: str, known: tuple[str, ...]) -> None:
        ParetoServeError.__init__(
            self, f"Variant {name!r} has no version {version!r}; ask for {', '.join(known)}, or for none."
        )


class AlreadyLoaded(ParetoServeError):
    """There is a model, or a variant, of this name already."""


class NoMemory(ParetoServeError):
    """There is not enough memory to load one more model; unload others first."""


class StoreError(ParetoServeError):
    """A variant on disk cannot be used."""


class DamagedArtifact(StoreError):
    """A file is missing, or its bytes differ from what the manifest says."""


class UnsafeArchive(StoreError):
    """An archive holds names that lead out of its folder, links, devices, or more than it may; it is not unpacked."""


class UnsupportedManifest(StoreError):
    """`variant.json` is of a later schema, or is not a manifest."""


class UnsupportedCheckpoint(StoreError):
    """A checkpoint is of an architecture or a format that no recipe reads."""


class BackendError(ParetoServeError):
    """An engine failed to load a variant, or failed on a batch."""


class GoldenMismatch(BackendError):
    """An engine runs, but its answers to the golden inputs are not those of the recipe."""


class OwnCodeError(BackendError):
    """The variant's own code raised an error that has a `status_code`, which is for the client, as its text is."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class EnvironmentUnavailable(ParetoServeError):
    """What an engine needs is not installed, or an environment that holds it cannot be made."""


class Overloaded(ParetoServeError):
    """The variant's queue is full, its estimated wait exceeds the queue deadline, or bodies have all their bytes."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"The server is full ({reason}); try again in {retry_after_s:.3g} s.")


class DeadlineExceeded(ParetoServeError):
    """The client's own deadline passed before the request reached the engine."""


class NotReady(ParetoServeError):
    """The variant is loading, restarting or draining."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class WorkerFailed(ParetoServeError):
    """A worker died with this request in its hands, more than once."""
