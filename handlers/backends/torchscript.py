"""TorchScript: the network as it was traced and frozen, run without its Python code.

Such a file is a program. It is loaded only where the operator named this backend.
"""

import warnings
from collections import Counter

import torch

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.torch import TorchSession
from model_store.errors import BackendError
from networks.encoder.modules import PACKED_INPUTS


class TorchScriptSession(TorchSession):
    def run(self, batch: Batch) -> Logits:
        with torch.jit.optimized_execution(True):  # type: ignore[attr-defined]
            return super().run(batch)


def open_session(artifact: ArtifactFile, placement: Placement) -> TorchScriptSession:
    if artifact.layout != "packed":
        raise BackendError(f"TorchScript runs packed networks; {artifact.path.name!r} is said to be {artifact.layout}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch has a successor to it
            script = torch.jit.load(artifact.path, map_location="cpu")  # type: ignore[no-untyped-call]
        names = _input_names(script)
    except (RuntimeError, ValueError) as exc:
        reason = str(exc).strip().splitlines()[0].replace(str(artifact.path), artifact.path.name)
        raise BackendError(f"TorchScript cannot load {artifact.path.name!r}: {reason}") from exc
    if tuple(names) != PACKED_INPUTS:
        raise BackendError(
            f"{artifact.path.name!r} takes {', '.join(names) or 'nothing'}; a packed classifier takes "
            f"{', '.join(PACKED_INPUTS)}: build the variant again."
        )
    kinds = Counter(node.kind() for node in script.inlined_graph.nodes())
    info = SessionInfo(
        "torchscript",
        str(torch.__version__),
        _precision(script),
        placement,
        instruction_set=torch.backends.cpu.get_cpu_capability().lower(),
        operators={kind.removeprefix("aten::"): n for kind, n in kinds.items() if kind.startswith("aten::")},
    )
    return TorchScriptSession(script, info)


def _input_names(script: torch.jit.ScriptModule) -> list[str]:
    """The first input of a method is the module itself; a traced name reads like `input_ids.1`."""
    return [one.debugName().partition(".")[0] for one in script.inlined_graph.inputs()][1:]


def _precision(script: torch.jit.ScriptModule) -> str:
    """Of the weights, which freezing made constants of the graph."""
    constants = (node for node in script.inlined_graph.nodes() if node.kind() == "prim::Constant")
    tensors = (
        node.t("value") for node in constants if "value" in node.attributeNames() and node.kindOf("value") == "t"
    )
    weights = Counter(str(one.dtype).removeprefix("torch.") for one in tensors if one.is_floating_point())
    return weights.most_common(1)[0][0] if weights else "unknown"
