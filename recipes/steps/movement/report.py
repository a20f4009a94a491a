"""What movement pruning left of each layer: a table, and a chart of it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from networks.encoder.counts import layer_parameters
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import KeptLayer

INK, MUTED, BEFORE, AFTER = "#1f2328", "#656d76", "#d8dee4", "#0072b2"

# Of the chart, in pixels.
_ROW, _TOP, _LEFT, _WIDTH, _GAP, _RIGHT = 34, 64, 84, 260, 190, 90


@dataclass(frozen=True, slots=True)
class LayerReport:
    """A layer before and after; a layer that was left out has nothing after."""

    layer: int
    parameters_before: int
    parameters_after: int
    heads_before: int
    heads_after: int
    units_before: int
    units_after: int


def layer_reports(shape: EncoderShape, kept: Sequence[KeptLayer]) -> list[LayerReport]:
    """What `kept` leaves of each layer of an encoder of the shape."""
    found = {one.layer: one for one in kept}
    return [_layer_report(shape, layer, found.get(layer)) for layer in range(shape.layers)]


def write_report(shape: EncoderShape, kept: Sequence[KeptLayer], folder: Path) -> None:
    """Write `layers.csv` and `layers.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = layer_reports(shape, kept)
    names = list(LayerReport.__dataclass_fields__)
    with (folder / "layers.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(row, name) for name in names] for row in rows)
    (folder / "layers.svg").write_text(layers_svg(rows))


def layers_svg(rows: Sequence[LayerReport]) -> str:
    """A pair of bars for each layer's weights, before and after, and one for its heads."""
    before, after = sum(row.parameters_before for row in rows), sum(row.parameters_after for row in rows)
    title = f"Weights and heads of each layer: {100 * after / before:.0f} % of the weights stay"
    width, height = _LEFT + 2 * _WIDTH + _GAP + _RIGHT, _TOP + _ROW * len(rows) + 16
    second = _LEFT + _WIDTH + _GAP
    body = [
        f'<text x="16" y="26" font-size="15" font-weight="bold">{title}</text>',
        f'<text x="{_LEFT}" y="50" fill="{MUTED}">weights (of so many before)</text>',
        f'<text x="{second}" y="50" fill="{MUTED}">heads (of so many before)</text>',
    ]
    most_weights, most_heads = max(r.parameters_before for r in rows), max(r.heads_before for r in rows)
    for place, row in enumerate(rows):
        top = _TOP + _ROW * place
        body.append(f'<text x="16" y="{top + 17}">layer {row.layer}</text>')
        body += _bars(_LEFT, top, row.parameters_before, row.parameters_after, most_weights)
        body += _bars(second, top, row.heads_before, row.heads_after, most_heads)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="DejaVu Sans, sans-serif" font-size="12" fill="{INK}">\n'
        f'<title>{title}</title>\n<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _layer_report(shape: EncoderShape, layer: int, kept: KeptLayer | None) -> LayerReport:
    heads, units = (len(kept.heads), len(kept.units)) if kept else (0, 0)
    small = replace(shape, heads=(heads,), units=(units,))
    return LayerReport(
        layer=layer,
        parameters_before=layer_parameters(shape, layer),
        parameters_after=layer_parameters(small, 0) if kept else 0,
        heads_before=shape.heads[layer],
        heads_after=heads,
        units_before=shape.units[layer],
        units_after=units,
    )


def _bars(left: int, top: int, before: int, after: int, most: int) -> list[str]:
    """Of a number before and after, as long as it is of the largest."""
    long, short = (round(_WIDTH * value / most, 1) for value in (before, after))
    return [
        f'<rect x="{left}" y="{top}" width="{long}" height="24" fill="{BEFORE}"/>',
        f'<rect x="{left}" y="{top + 5}" width="{short}" height="14" fill="{AFTER}"/>',
        f'<text x="{left + long + 6}" y="{top + 17}">{after:,} of {before:,}</text>',
    ]
