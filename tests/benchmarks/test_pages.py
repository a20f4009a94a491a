"""Pages that people write and results fill in."""

from benchmarks.marked import filled
from benchmarks.pages import filled_pages


def test_the_pages_are_in_step_with_the_results() -> None:
    for page, text in filled_pages():
        assert page.read_text() == text, "write it anew: python -m benchmarks report"


def test_only_what_stands_between_the_lines_of_the_name_is_replaced() -> None:
    page = "<!-- a -->\n1\n<!-- /a -->\n2\n<!-- b -->\n3\n<!-- /b -->\n"
    assert filled(page, "b", r"\1 and \g<0>" + "\n") == page.replace("3", r"\1 and \g<0>")
    assert filled(page, "c", "nowhere") == page
