from pathlib import Path
from xml.etree import ElementTree

from networks.encoder.counts import layer_parameters
from networks.encoder.slicing import KeptLayer
from recipes.steps.movement.report import layer_reports, layers_svg, write_report
from tests.tiny import tiny_shape

SHAPE = tiny_shape(heads=(2, 2, 2), units=(64, 64, 64))
KEPT = [KeptLayer(0, (1,), tuple(range(32))), KeptLayer(2, (0, 1), tuple(range(64)))]


def test_a_layer_that_was_left_out_has_nothing_after(tmp_path: Path) -> None:
    first, second, third = layer_reports(SHAPE, KEPT)
    assert (first.parameters_before, first.heads_after, first.units_after) == (layer_parameters(SHAPE, 0), 1, 32)
    assert first.parameters_after == layer_parameters(tiny_shape(heads=(1,), units=(32,)), 0)
    assert (second.parameters_after, second.heads_after, second.units_after) == (0, 0, 0)
    assert third.parameters_after == third.parameters_before


def test_the_table_has_a_line_for_each_layer(tmp_path: Path) -> None:
    write_report(SHAPE, KEPT, tmp_path / "report")
    header, *lines = (tmp_path / "report" / "layers.csv").read_text().splitlines()
    assert header == ("layer,parameters_before,parameters_after,heads_before,heads_after,units_before,units_after")
    assert [line.split(",")[0] for line in lines] == ["0", "1", "2"]
    assert lines[1].endswith(",0,2,0,64,0")


def test_the_chart_is_an_image_with_bars_as_long_as_what_they_show(tmp_path: Path) -> None:
    write_report(SHAPE, KEPT, tmp_path)
    image = ElementTree.fromstring((tmp_path / "layers.svg").read_text())  # noqa: S314  our own
    rectangles = [one for one in image.iter("{http://www.w3.org/2000/svg}rect") if one.get("x")]
    widths = [float(one.attrib["width"]) for one in rectangles]
    assert len(widths) == 4 * SHAPE.layers
    assert widths[3] == widths[2] / 2, "one head of two"
    assert widths[5] == widths[7] == 0
    texts = "".join(one.text or "" for one in image.iter("{http://www.w3.org/2000/svg}text"))
    assert "1 of 2" in texts


def test_the_same_layers_give_the_same_chart() -> None:
    assert layers_svg(layer_reports(SHAPE, KEPT)) == layers_svg(layer_reports(SHAPE, KEPT))
