"""A task on an engine, called as a Hugging Face pipeline is: what `model_fn` returns unless the user's own does."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handlers.backends.base import Batch, Session
from handlers.tasks.base import AnyTask, Floats
from handlers.tokens.packing import Tokens, pack
from handlers.tokens.padding import Grid, pad
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError
from model_store.rows import Row


class Pipeline:
    """From inputs to an answer. The tokenizer and the task may be used from any thread."""

    def __init__(self, session: Session, tokenizer: TextTokenizer, task: AnyTask) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.task = task
        # The shapes of a padded artifact's calls; None where windows are packed.
        self.grid = session.info.grid and replace(session.info.grid, widest=tokenizer.max_tokens)

    def __call__(self, inputs: Any, **parameters: Any) -> Any:
        """Answer inputs in one call of the engine: for a user's own `predict_fn`."""
        asked = self.task.read({"inputs": inputs, "parameters": parameters or None})
        windows = self.task.windows(asked, self.tokenizer)
        return self.task.answer(asked, windows, self.infer([windows]))

    def ask(self, row: Row) -> tuple[list[float], Any]:
        """A row asked alone: the network's numbers, those of all its windows end to end, and the answer."""
        asked = self.task.read({"inputs": [self.task.inputs(row)]})
        windows = self.task.windows(asked, self.tokenizer)
        outputs = self.infer([windows])
        (answer,) = self.task.answer(asked, windows, outputs)
        return np.concatenate([output.ravel() for output in outputs]).tolist(), answer

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        """What the network gives for each of the windows in `rows`, row by row: an array of shape (width,).

        A padded artifact has a row for each window.

        Raises:
            BackendError: the engine failed, or its answer has not `width` finite numbers per window.
        """
        if self.grid:
            return self._infer_padded([window for row in rows for window in row], self.grid)
        return list(self._run(pack(rows, self.session.info.width_step), sum(map(len, rows))))

    def _infer_padded(self, windows: Sequence[Tokens], grid: Grid) -> list[Floats]:
        rows, width = grid.shape(len(windows), max(map(len, windows)))
        outputs: list[Floats] = []
        for start in range(0, len(windows), rows):
            call = windows[start : start + rows]
            # Rows that only fill the call up are dropped.
            outputs += list(self._run(pad(call, (rows, width), self.tokenizer.pad_id), rows)[: len(call)])
        return outputs

    def _run(self, batch: Batch, count: int) -> Floats:
        """One call of the engine, which must give `count` rows."""
        numbers = self.session.run(batch)
        expected = (count, self.task.width)
        if numbers.shape != expected:
            raise BackendError(
                f"The engine answered {numbers.shape} where (texts, numbers) = {expected} was due; the artifact was "
                "not made for this task."
            )
        if not np.isfinite(numbers).all():
            raise BackendError("The engine answered with numbers that are not finite; build the variant again.")
        return numbers
