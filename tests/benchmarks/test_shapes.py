"""The benchmark of BERT-base's shapes: what is measured beside what, and the tables that are made of it."""

from pathlib import Path

from benchmarks.harness.bert_base import Form, Order, random_encoder
from benchmarks.harness.results import make_result, write_result
from benchmarks.measures.shapes import WORKLOADS, ShapesBenchmark, groups_of, pruned_form, summarized
from benchmarks.measures.shapes import _name as name_of
from benchmarks.shapes_table import render
from networks.encoder.counts import macs_per_token

PLAN = ShapesBenchmark(rounds=2, seconds=1.0)
PAGE = "# Page\n\n<!-- shapes -->\nold\n<!-- /shapes -->\nWritten by hand.\n"


def taken() -> list[dict[str, object]]:
    """DeepSparse is as many times faster as weights are left out, on a machine that is twice as fast in round 1."""
    rows: list[dict[str, object]] = []
    for group in groups_of(PLAN):
        for number in (0, 1):
            for one in group.all:
                gained = 1 / (1 - one.form.sparsity) if one.order.backend == "deepsparse" else 1.0
                gained *= 12 / one.form.layers * (3.0 if one.order.precision == "int8" else 1.0)
                for workload in WORKLOADS:
                    figures = {"workload": workload, "texts_per_s": (1 + number) * gained}
                    rows.append({"group": group.name, "round": number, "contestant": name_of(one), **figures})
    return rows


def test_every_group_has_what_it_is_compared_with_and_all_forms_take_part() -> None:
    groups = groups_of(PLAN)
    assert [group.baseline.order.backend for group in groups] == ["onnxruntime"] * 3 + ["openvino"]
    assert all(group.baseline.form == Form() and group.baseline not in group.others for group in groups)
    forms = {(one.form.layers, one.form.sparsity, one.order.backend) for group in groups[:3] for one in group.all}
    engines = ("deepsparse", "onnxruntime")
    assert forms == {(n, s, e) for n in (12, 6, 3) for s in (0.0, 0.7, 0.8, 0.9) for e in engines}
    assert [one.order for one in groups[3].others] == [Order("openvino", "int8")] * 2


def test_the_pruned_form_has_two_fifths_of_the_multiplications_and_no_more() -> None:
    form = pruned_form()
    share = macs_per_token(form.shape, 128) / macs_per_token(Form().shape, 128)
    assert 0.39 < share <= 0.4
    assert form.units % 32 == 0


def test_so_many_weights_of_each_matrix_of_the_layers_are_zero_and_no_others() -> None:
    weights = random_encoder(Form(layers=1, heads=2, units=64, sparsity=0.9)).state_dict()
    matrices = {name: weight for name, weight in weights.items() if ".layer." in name and weight.ndim == 2}
    assert len(matrices) == 6
    for weight in matrices.values():
        assert abs(1 - weight.count_nonzero().item() / weight.numel() - 0.9) < 1e-3
    assert weights["bert.embeddings.word_embeddings.weight"].count_nonzero() > 30522


def test_ratios_are_taken_within_a_round_and_the_tables_show_them_beside_the_write_ups(tmp_path: Path) -> None:
    rows = summarized(groups_of(PLAN), taken())
    settings = {"model": "BERT-base, random weights", "streams": 2, "engines": {}, "call_rows": [1, 8]}
    write_result(make_result("shapes", settings, taken(), {"rows": rows}), tmp_path)
    page = render(PAGE, tmp_path)
    assert "BERT-base, random weights. A call has 1 or 8 texts of 128 tokens, whichever is faster" in page
    tenfold = "| 1.00 (1.00-1.00) | 3.33 (3.33-3.33) | 5.00 (5.00-5.00) | 10.00 (10.00-10.00) |"
    assert page.count(f"| 12 layers, deepsparse {tenfold} 4.05 |") == len(WORKLOADS)
    assert "| 3 layers, onnxruntime | 4.00 (4.00-4.00) | 4.00 (4.00-4.00) |" in page
    assert "| INT8 | 3.00 (3.00-3.00) | 3.00 (3.00-3.00) | 3.17 |" in page
    assert "heads and 1184 units a layer | 3.00 (3.00-3.00) | 3.00 (3.00-3.00) | 4.19 |" in page
    assert page.endswith("<!-- /shapes -->\nWritten by hand.\n")
    assert "old" not in page


def test_without_a_result_the_page_says_so(tmp_path: Path) -> None:
    assert render(PAGE, tmp_path) == PAGE.replace("old", "Nothing was measured yet.")
