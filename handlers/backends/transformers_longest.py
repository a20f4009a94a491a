"""As `transformers`, but padded to the longest text of a request: the option that is reported beside it."""

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.torch import TorchSession
from handlers.backends.transformers import padded_session
from handlers.tokens.padding import Grid


def open_session(artifact: ArtifactFile, placement: Placement) -> TorchSession:
    return padded_session("transformers-longest", artifact, placement, Grid())
