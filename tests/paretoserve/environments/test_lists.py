"""What stands for each backend or environment outside the catalogue: in files that no Python reads, and on pages."""

import re
from pathlib import Path

from handlers.backends.catalogue import BACKENDS
from paretoserve.environments.catalogue import ENGINES, REQUIREMENTS

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = {one.environment for one in BACKENDS.values() if one.environment}


def test_every_environment_has_an_engine_a_lock_and_an_image() -> None:
    assert set(ENGINES) == ENVIRONMENTS
    assert {file.stem for file in REQUIREMENTS.glob("*.txt")} == ENVIRONMENTS | {"front"}
    assert {file.suffix[1:] for file in (ROOT / "docker").glob("Dockerfile.*")} == ENVIRONMENTS | {"load"}


def test_make_builds_the_image_of_every_environment() -> None:
    (images,) = re.findall(r"^IMAGES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(images.split()) == ENVIRONMENTS | {"load"}


def test_an_image_holds_the_lock_of_its_engine_and_is_called_after_it() -> None:
    for name in ENVIRONMENTS:
        dockerfile = (ROOT / "docker" / f"Dockerfile.{name}").read_text()
        assert f"-r /requirements/front.txt -r /requirements/{name}.txt" in dockerfile
        assert f"docker/Dockerfile.{name} -t paretoserve:{name} ." in dockerfile


def test_what_an_image_serves_is_the_backend_that_it_is_called_after() -> None:
    """Where another would be taken unless it were told."""
    for name in ENVIRONMENTS:
        dockerfile = (ROOT / "docker" / f"Dockerfile.{name}").read_text()
        taken = [one.name for one in BACKENDS.values() if one.environment == name and one.rank is not None]
        assert taken == [name] or f"model@{name}" in dockerfile or f"PARETOSERVE_SERVER={name}" in dockerfile


def test_the_page_on_serving_has_a_row_for_every_backend() -> None:
    page = (ROOT / "docs" / "serve.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| (?:packed|padded)", page, re.MULTILINE)
    assert rows == list(BACKENDS)


def test_the_page_on_deploying_names_every_image() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    (listed,) = re.findall(r"There is an image for each engine: (.+?)\.", page, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == ENVIRONMENTS


def test_examples_run_images_that_there_are() -> None:
    named = {
        name
        for file in (ROOT / "examples").rglob("*.yaml")
        for name in re.findall(r"paretoserve:([a-z]+)\b", file.read_text())
    }
    assert named
    assert named <= ENVIRONMENTS | {"load"}
