"""How the texts of a batch are laid out: in one packed row, in several, or a row each.

A long row costs attention between texts that have nothing to say to each other, many short rows cost padding. Which
is cheaper depends on the model and the engine, so the cost measured at warm-up decides.
"""

from collections.abc import Sequence

from handlers.handler import Handler
from serving.wire.cost import Cost


def lay_out(lengths: Sequence[int], handler: Handler, cost: Cost) -> list[list[int]]:
    """Rows of indices into `lengths` (tokens of each text) as this handler's engine wants them."""
    if handler.grid:
        return [[i] for i in range(len(lengths))]
    if handler.width_step > 1:
        # Several rows would multiply the shapes that the engine has to be prepared for.
        return [list(range(len(lengths)))]
    return arrange(lengths, cost)


def arrange(lengths: Sequence[int], cost: Cost) -> list[list[int]]:
    """Rows of indices into `lengths` (tokens of each text), the cheapest of the layouts tried.

    A layout is made for a width from the longest text's, doubling up to a single row: texts go, longest first, into
    the first row with room (first-fit decreasing).
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    # The single row comes first: where it costs no more than others it wins, since it has no padding.
    layouts = [_first_fit(order, lengths, width) for width in reversed(_widths(lengths))]
    return min(layouts, key=lambda rows: _seconds(rows, lengths, cost))


def _widths(lengths: Sequence[int]) -> list[int]:
    total, width = sum(lengths), max(lengths)
    widths = [width]
    while width < total:
        width = min(2 * width, total)
        widths.append(width)
    return widths


def _first_fit(order: Sequence[int], lengths: Sequence[int], width: int) -> list[list[int]]:
    rows: list[list[int]] = []
    room: list[int] = []
    for i in order:
        place = next((row for row, left in enumerate(room) if left >= lengths[i]), None)
        if place is None:
            rows.append([i])
            room.append(width - lengths[i])
        else:
            rows[place].append(i)
            room[place] -= lengths[i]
    return rows


def _seconds(rows: Sequence[Sequence[int]], lengths: Sequence[int], cost: Cost) -> float:
    """Rows are padded to the fullest of them."""
    return cost.rows_seconds(len(rows), max(sum(lengths[i] for i in row) for row in rows))
