"""What `paretoserve build --recipe auto` is asked for."""

from dataclasses import dataclass, replace

from handlers.backends.catalogue import BACKENDS
from model_store.errors import RecipeError
from paretoserve.builds.auto.budget import read_length
from paretoserve.builds.build import BuildRequest
from paretoserve.environments.catalogue import interpreter_for, is_installed
from recipes.grammar import AUTO

MAX_DROP, TIME_BUDGET = 1.0, "4h"


@dataclass(frozen=True, slots=True)
class AutoRequest:
    """Build the fastest variants for the engine `target` that lose at most `max_drop` points.

    Trainings are ended after `budget_s` seconds, those of this command alone.
    """

    build: BuildRequest
    target: str
    max_drop: float
    budget_s: float


def auto_request(request: BuildRequest, target: str | None, time_budget: str | None) -> AutoRequest | None:
    """What is asked for where the recipe is `auto`; None where it is any other.

    Raises:
        RecipeError: it is asked for in a way that makes no sense, or options are for it and the recipe is not.
        EnvironmentUnavailable: the engine is not installed.
    """
    words = tuple(word.strip() for word in request.recipes)
    if AUTO not in words:
        for option, given in (("--target", target), ("--time-budget", time_budget)):
            if given is not None:
                raise RecipeError(f"{option} is for --recipe {AUTO} alone; leave it out, or give that recipe.")
        return None
    _check(request, words)
    chosen = _target(target)
    limit = MAX_DROP if request.max_drop is None else request.max_drop
    asked = replace(request, recipes=(), backends=(chosen,), max_drop=limit)
    return AutoRequest(asked, chosen, limit, read_length(time_budget or TIME_BUDGET))


def _check(request: BuildRequest, words: tuple[str, ...]) -> None:
    if others := [word for word in words if word != AUTO]:
        raise RecipeError(
            f"--recipe {AUTO} chooses what is built and stands alone; build {' and '.join(map(repr, others))} by "
            "another command."
        )
    if request.backends:
        raise RecipeError(
            f"--recipe {AUTO} builds for one engine; give --target {request.backends[0]} instead of --backend."
        )
    if request.calibrate_on_evaluation:
        raise RecipeError(f"--recipe {AUTO} needs a train split; leave out --calibrate-on-evaluation.")


def _target(asked: str | None) -> str:
    """The engine that was asked for; else of those that are installed the one that comes first where nobody names one.

    Raises:
        RecipeError: nothing can be written for it.
        EnvironmentUnavailable: it is not installed.
    """
    from recipes.export.catalogue import EXPORTERS

    if asked is not None and asked not in EXPORTERS:
        raise RecipeError(f"Nothing can be built for --target {asked!r}; choose one of {', '.join(EXPORTERS)}.")
    usual = sorted((rank, name) for name in EXPORTERS if (rank := BACKENDS[name].rank) is not None)
    chosen = asked or next((name for _, name in usual if is_installed(name)), usual[0][1])
    interpreter_for(chosen)
    return chosen
