"""Chains built for one engine: into the store where they hold, and nowhere where they do not."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_store.errors import StoreError
from model_store.manifest import Manifest, read_manifest, write_manifest
from model_store.rows import Split
from model_store.store import staging
from paretoserve.builds.against_dense import DENSE, compare_with_dense
from paretoserve.builds.auto.budget import Budget, Watch
from paretoserve.builds.auto.deciding import Drop, Found, fault
from paretoserve.builds.auto.record import Dense, Scored, Try
from paretoserve.builds.auto.validation import drop_of, gain_of, scored
from paretoserve.builds.build import Sources, build_variant, measured_manifest, recipe_input, recipe_of
from paretoserve.builds.score import Written, answers_of
from paretoserve.builds.task import checkpoint_task
from paretoserve.measuring.speed import measured_speed
from paretoserve.terminal.progress import progress
from recipes.work.disk import written_in
from recipes.work.folder import Clock

if TYPE_CHECKING:  # they bring torch along, which only building needs
    from recipes.grammar import Recipe
    from recipes.run import Built, RecipeInput


class _Fell(Exception):
    """Ends the making of a variant that is not kept."""

    def __init__(self, found: Found) -> None:
        self.found = found


@dataclass(frozen=True)
class Workshop:
    """Where chains are built for the engine `target`; `validation` are rows split off the train split.

    What is spent on each chain is noted in the folder `clocks`.
    """

    sources: Sources
    target: str
    max_drop: float
    validation: Split
    clocks: Path

    def folder(self, variant: str) -> Path:
        return self.sources.request.store / self.sources.model / variant

    def artifact_hash(self, variant: str) -> str | None:
        """Of the file for our engine of a variant in the store; None where there is none."""
        try:
            artifact = read_manifest(self.folder(variant)).artifacts.get(self.target)
        except (FileNotFoundError, StoreError):
            return None
        return artifact.sha256[artifact.file] if artifact else None

    def clock(self, recipe: str) -> Clock:
        self.clocks.mkdir(parents=True, exist_ok=True)
        return Clock(self.clocks / recipe_of(recipe).name)

    def scored(self, artifact: Written, folder: Path, max_tokens: int) -> Scored:
        """What an artifact scores on the validation rows."""
        asked, rows = self.sources.request.task, self.validation.rows
        answers = answers_of(asked, self.sources.checkpoint)(self.target, artifact, folder, max_tokens, rows)
        return scored(checkpoint_task(asked, self.sources.checkpoint), answers, rows)

    def tokens_per_s(self, manifest: Manifest, folder: Path) -> float:
        return measured_speed(self.target, manifest.artifacts[self.target], manifest, folder).tokens_per_s


def built_dense(shop: Workshop, known: Dense | None) -> Dense:
    """The dense variant and what it scores on the validation rows; nothing is done where it is `known` and there.

    Raises:
        ParetoServeError: it cannot be built.
    """
    if known is not None and known.sha256 == shop.artifact_hash(DENSE):
        return known
    sources = shop.sources
    folder = build_variant(sources.request, sources.checkpoint, sources.data, sources.model, DENSE)
    manifest = read_manifest(folder)
    artifact = manifest.artifacts[shop.target]
    with progress(f"Asking {DENSE} for {len(shop.validation.rows)} rows split off the train split"):
        found = shop.scored(artifact, folder, manifest.max_tokens)
    return Dense(sha256=artifact.sha256[artifact.file], validation=found, seconds=manifest.seconds or 0.0)


@dataclass(frozen=True)
class ChainBuilder:
    """A `Builder` of chains that are compared with `dense`."""

    shop: Workshop
    dense: Dense

    def attempt(self, recipe: str, title: str, budget: Budget) -> Found:
        clock = self.shop.clock(recipe)
        with progress(title) as report:
            try:
                return self._attempt(recipe_of(recipe), Watch(clock.around(report), budget))
            finally:
                clock.keep()

    def seconds(self, recipe: str) -> float:
        return self.shop.clock(recipe).seconds()

    def holds(self, known: Try) -> bool:
        return known.variant is not None and self.shop.artifact_hash(known.variant) == known.sha256

    def _attempt(self, recipe: "Recipe", watch: Watch) -> Found:
        from recipes.max_drop import LimitExceeded

        folder, sources = self.shop.folder(recipe.name), self.shop.sources
        try:
            with written_in(folder), staging(folder) as staged:
                found = self._built(recipe, staged, watch)
        except LimitExceeded as exc:
            return Found(Drop(exc.drop))
        except _Fell as fell:
            return fell.found
        with written_in(folder):
            compare_with_dense(sources.request.store, sources.model)
        return replace(found, variant=recipe.name, sha256=self.shop.artifact_hash(recipe.name))

    def _built(self, recipe: "Recipe", folder: Path, watch: Watch) -> Found:
        """The variant in `folder`, and what it loses and gains.

        Raises:
            _Fell: it is not kept.
            LimitExceeded: no INT8 of it would be.
        """
        from recipes.run import run_recipe

        shop = self.shop
        built = run_recipe(recipe, self._input(recipe, folder, watch))
        watch.report("asking rows split off the train split", 0.5)
        found = self._checked(Found(self._drop(built, folder)))
        manifest = measured_manifest(shop.sources, recipe.name, built, folder, watch.report)
        watch.report("measuring the gain", 1.0)
        dense = read_manifest(shop.folder(DENSE))
        gain = gain_of(
            lambda: shop.tokens_per_s(manifest, folder), lambda: shop.tokens_per_s(dense, shop.folder(DENSE))
        )
        write_manifest(manifest, folder)
        return self._checked(replace(found, gain=gain))

    def _input(self, recipe: "Recipe", folder: Path, watch: Watch) -> "RecipeInput":
        """INT8 may lose so much of what dense scores, not of what the chain had left."""
        shop = self.shop
        given = recipe_input(shop.sources, recipe, (shop.target,), folder, watch.report)
        assert given.limit is not None, "this is a bug: auto always has a limit"
        limit = replace(given.limit, against={shop.target: self.dense.validation.value})
        return replace(given, limit=limit, while_training=watch.check)

    def _drop(self, built: "Built", folder: Path) -> Drop:
        found = self.shop.scored(built.artifacts[self.shop.target], folder, built.exported.max_tokens)
        return drop_of(self.dense.validation, found, len(self.shop.validation.rows))

    def _checked(self, found: Found) -> Found:
        if fault(found.drop, found.gain, self.shop.max_drop):
            raise _Fell(found)
        return found
