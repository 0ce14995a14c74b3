"""The recipe and the provenance in a run folder: written by a new run, compared by one that is resumed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.errors import RunError
from manyheads.model.weights import EncoderSource
from manyheads.pretraining.texts import pretraining_fingerprint
from manyheads.recipe.given import own_recipe
from manyheads.recipe.load import load_recipe, recipe_to_toml
from manyheads.recipe.members import plugin_records
from manyheads.recipe.prepare import Prepared
from manyheads.recipe.same import check_finished, check_same, recipe_checksum
from manyheads.recipe.schema import Recipe
from manyheads.run.atomic import write_json, write_text
from manyheads.run.events import cut_after
from manyheads.run.folder import RunFolder
from manyheads.run.provenance import collect
from manyheads.training.checkpoint import read_progress, step_of


def begin_run(folder: RunFolder, recipe: Recipe, prepared: Prepared, source: EncoderSource, processes: int) -> None:
    """Write the recipe and the provenance of a new run on a number of processes."""
    text = own_recipe(recipe, folder)
    provenance = collect(
        seed=recipe.seed,
        threads=recipe.threads or 1,
        device=recipe.device,
        precision=recipe.precision,
        encoder=describe(source),
        data=_fingerprints(recipe, prepared),
        command=["manyheads", *sys.argv[1:]],
    )
    balanced = {name: np.round(weights, 6).tolist() for name, weights in prepared.class_weights.items()}
    plugins = plugin_records(recipe)
    more = {**({"class_weights": balanced} if balanced else {}), **({"plugins": plugins} if plugins else {})}
    provenance |= {**more, "processes": processes, "recipe": recipe_checksum(text)}
    write_json(folder.provenance, provenance)
    write_text(folder.recipe, text)


def resume_run(
    folder: RunFolder, recipe: Recipe, prepared: Prepared, source: EncoderSource, processes: int, latest: Path
) -> tuple[list[str], int]:
    """Prepare to resume a run from its `latest` checkpoint. Events after it are dropped.

    Return notes about what could not be compared, and the number of processes with which the run began.

    Raises:
        RunError: The recipe, the data or the encoder is not that of the run, or the checkpoint is damaged.
    """
    before = int(folder.read_provenance().get("processes", 1))
    notes = check_same(
        folder,
        recipe_to_toml(recipe),
        _fingerprints(recipe, prepared),
        encoder=source.sha256,
        ignored=() if before == processes else ("threads",),
    )
    _keep_score(folder, recipe)
    if not cut_after(folder.events, step_of(latest), evaluated=read_progress(latest).evaluated):
        notes = [*notes, f"{folder.events} lacks steps, so the losses in the report are incomplete"]
    return list(notes), before


def finished_run(folder: RunFolder, recipe: Recipe) -> tuple[dict[str, Any], list[str]]:
    """Return the results of a finished run of this recipe, and notes about what could not be compared.

    Raises:
        RunError: The run is of another recipe, or its files are damaged.
    """
    results = folder.read_results(complete=True)
    if results["last"] is None:
        raise RunError("the finished run has no evaluation", where=str(folder.results))
    return results, check_finished(folder, recipe)


def describe(source: EncoderSource) -> dict[str, object]:
    """Return the origin of an encoder for provenance.json and the manifest of a bundle."""
    return {"name": source.name, "revision": source.revision, "sha256": source.sha256}


def _fingerprints(recipe: Recipe, prepared: Prepared) -> dict[str, str]:
    """Return the SHA-256 of every data file, of the held-out rows, and of the files of texts for pretraining."""
    files = () if recipe.pretraining is None else recipe.pretraining.files
    folder = Path(recipe.data_dir)
    return {**prepared.fingerprints, **{name: pretraining_fingerprint(folder, name) for name in files}}


def _keep_score(folder: RunFolder, recipe: Recipe) -> None:
    """Write a `score` that was added or removed since the run began into the run's own recipe."""
    own = load_recipe(folder.recipe)
    if own.score != recipe.score:
        text = own_recipe(own.model_copy(update={"score": recipe.score}), folder)
        # First the provenance without the checksum: a kill between two of the writes leaves a run that resumes.
        provenance = {key: value for key, value in folder.read_provenance().items() if key != "recipe"}
        write_json(folder.provenance, provenance)
        write_text(folder.recipe, text)
        write_json(folder.provenance, {**provenance, "recipe": recipe_checksum(text)})
