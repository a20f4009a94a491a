"""The state of a training in one file, written whole or not at all: weights, optimizer and progress."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from model_store.errors import RecipeError
from recipes.work.folder import writing

_MODEL, _BEST, _OPTIMIZER = "model.", "best.", "optimizer."


class CurvePoint(msgspec.Struct, frozen=True):
    """After `step` steps: the mean loss since the point before, and the score on the rows to choose by (more is
    better)."""

    step: int
    loss: float
    score: float


class Record(msgspec.Struct):
    """How far a training is. `losses` are of the steps since the last point of the curve.

    `best` is the index in `curve` of the point whose weights are kept; `has_ended` where it stopped early.
    """

    step: int = 0
    losses: list[float] = []
    curve: list[CurvePoint] = []
    best: int | None = None
    has_ended: bool = False


_record = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where a training keeps its state; `settings` (as text) say which training it is."""

    file: Path
    settings: str

    def save(self, model: nn.Module, best: dict[str, Tensor], optimizer: Optimizer, record: Record) -> None:
        """Keep everything as it is; `best` are the weights of the best point so far, empty where there is none."""
        tensors = {f"{_MODEL}{name}": weight for name, weight in model.state_dict().items()}
        tensors |= {f"{_BEST}{name}": weight for name, weight in best.items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in state.items()}
        contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        metadata = {"record": msgspec.json.encode(record).decode(), "settings": self.settings}
        with writing(self.file) as partial:
            save_file(contiguous, partial, metadata)

    def restore(self, model: nn.Module, optimizer: Optimizer) -> tuple[Record, dict[str, Tensor]]:
        """Make everything as it was kept; how far it was, and the best weights so far.

        Raises:
            RecipeError: what is kept there is the state of another training.
        """
        if not self.file.is_file():
            return Record(), {}
        with safe_open(self.file, "pt") as kept:
            metadata = kept.metadata()
        if metadata["settings"] != self.settings:
            raise RecipeError(
                f"{self.file.parent.name!r} holds the state of a training with other settings; delete that folder, or "
                "give the settings that it began with."
            )
        tensors = load_file(self.file)
        model.load_state_dict(_below(_MODEL, tensors))
        optimizer.load_state_dict(_optimizer_state(optimizer, tensors))
        return _record.decode(metadata["record"]), _below(_BEST, tensors)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> dict[str, object]:
    """What `Optimizer.load_state_dict` takes: a state per weight, by the weight's index."""
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below(_OPTIMIZER, tensors).items():
        index, _, kind = name.partition(".")
        states.setdefault(int(index), {})[kind] = tensor
    return {"state": states, "param_groups": optimizer.state_dict()["param_groups"]}
