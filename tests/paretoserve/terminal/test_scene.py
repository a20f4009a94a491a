import io

import pytest
from rich.console import Console

from loadtest.generator.events import LevelDone, LevelStarted, LevelTicked
from paretoserve.terminal.scene import Scene, drawn, duration
from tests.loadtest.examples import level

NONE = "\N{EN DASH}"


def shown(scene: Scene, width: int = 100) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, record=True)
    console.print(drawn(scene))
    return console.export_text()


@pytest.fixture
def scene() -> Scene:
    scene = Scene("sst2: 4 candidates", ("block 1 of 2", "block 2 of 2"))
    scene.begin("int8@openvino", "block 2 of 2", 125.0)
    return scene


def test_a_level_shows_users_rate_tail_unserved_and_the_time_left(scene: Scene) -> None:
    scene.see(LevelStarted(2, 24, None))
    scene.see(LevelTicked(2, 24, 1.0, 4.0, 100, 132.4, 0.0125))
    text = shown(scene)
    assert "int8@openvino, block 2 of 2" in text
    assert "level 3: 24 users, 132 answers/s" in text
    assert "1.2% unserved" in text
    assert "about 2 min left" in text


def test_a_level_that_is_done_shows_its_result(scene: Scene) -> None:
    scene.see(LevelStarted(0, 8, None))
    scene.see(LevelDone(0, level(8, 0.5, p95_ms=61.0)))
    assert "level 1: 8 users, 200 answers/s, p95 61 ms, 50.0% unserved" in shown(scene)


def test_a_level_that_cannot_be_believed_says_why(scene: Scene) -> None:
    scene.see(LevelStarted(0, 8, None))
    scene.see(LevelDone(0, level(8, doubts=("the generator used 85% of a core.", "it measured no request."))))
    assert scene.now.endswith("0.0% unserved, doubted: the generator used 85% of a core")


def test_finished_runs_stand_in_a_table_by_block(scene: Scene) -> None:
    scene.end("dense@torch", "block 1 of 2", "52")
    scene.end("dense@torch", "block 2 of 2", "> 58")
    scene.end("int8@openvino", "block 1 of 2", "The server ended.")
    rows = [line.split("│")[1:] for line in shown(scene).splitlines() if "@" in line and "│" in line]
    assert [[cell.strip() for cell in row[:3]] for row in rows] == [
        ["dense@torch", "52", "> 58"],
        ["int8@openvino", "The server ended.", NONE],
    ]


def test_a_step_without_levels_shows_what_it_is(scene: Scene) -> None:
    scene.see(LevelStarted(0, 8, None))
    scene.do("accuracy over HTTP", 0.5)
    assert "accuracy over HTTP" in shown(scene)
    assert "8 users" not in shown(scene)


@pytest.mark.parametrize("width", [40, 80])
def test_no_word_is_cut_off_on_a_narrow_terminal(scene: Scene, width: int) -> None:
    scene.see(LevelStarted(0, 24, None))
    scene.see(LevelTicked(0, 24, 1.0, 4.0, 100, 132.4, 0.0125))
    text = " ".join(shown(scene, width).split())
    assert f"24 users, 132 answers/s, p95 {NONE} ms, 1.2% unserved" in text
    assert max(map(len, shown(scene, width).splitlines())) <= width


def test_durations_are_for_people() -> None:
    assert [duration(seconds) for seconds in (0.4, 89.0, 90.0, 1200.0)] == ["0 s", "89 s", "2 min", "20 min"]
