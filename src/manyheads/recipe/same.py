"""Check that a resumed run has the recipe, the data and the encoder that it started with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.data.reading import files_name
from manyheads.errors import EncoderError, ManyheadsError, RecipeError, RunError, argument, call
from manyheads.model.weights import resolve
from manyheads.plugins import changed_since, origins_of
from manyheads.pretraining.texts import pretraining_fingerprint
from manyheads.recipe.changes import is_one_value
from manyheads.recipe.load import load_recipe, recipe_from
from manyheads.recipe.members import used_by
from manyheads.recipe.schema import Recipe
from manyheads.recipe.streams import groups_of
from manyheads.recipe.tasks import open_task_source
from manyheads.recipe.toml import parse
from manyheads.run.folder import RunFolder
from manyheads.tasks.kinds import KINDS

REPORT_ONLY = frozenset({"score"})
"""Keys of a recipe that decide what is reported about a run and not what it computes. They may differ."""

UNCOMPARED = REPORT_ONLY | {"members"}
"""Keys, and tables of keys, that may differ. The plug-ins of members are compared by their checksums."""

RESOLVED = frozenset({"threads", "device", "precision", "soft", "pair", "kind", "loss", "metric"})
"""Last parts of the keys, in addition to label spaces, that a run fills in if the recipe does not set them."""

MOVABLE = frozenset({"data_dir", *REPORT_ONLY})
"""Keys that may be edited in the run folder: data files can be moved, and a score can be asked for later."""


def _other_folder() -> str:
    return f"start a new run in another folder with {argument('out')}"


def check_same(
    folder: RunFolder,
    recipe: str,
    fingerprints: Mapping[str, str],
    *,
    encoder: str | None = None,
    ignored: Container[str] = (),
) -> list[str]:
    """Check that the recipe, the data and the encoder of a resumed run are those that it started with.

    Args:
        folder: The run folder.
        recipe: The resolved recipe as TOML.
        fingerprints: The fingerprints of the data files and of the held-out rows.
        encoder: The SHA-256 of the encoder's weights. Default: not compared.
        ignored: Keys of the recipe whose values may differ.

    Returns:
        Notes about what could not be compared.

    Raises:
        RunError: A value of the recipe, a data file, the choice of the held-out rows or the encoder has changed, or
            the run folder's own recipe or provenance is damaged.
    """
    now = recipe_from(parse(recipe), folder.path, ".".join)
    before = _own_recipe(folder)
    _refuse_changes(folder, _changes(before, now, ignored=ignored, resolved=True))
    data = folder.fingerprints()
    unknown = {name for name in _pretraining_files(now) if name not in data}
    compared = {name: value for name, value in fingerprints.items() if name not in unknown}
    _refuse_other_data(folder, data, compared, complete=True)
    _refuse_other_encoder(folder, encoder)
    notes = _refuse_other_plugins(folder, now)
    return [*notes, *(_not_recorded(name) for name in sorted(unknown & fingerprints.keys()))]


def check_finished(folder: RunFolder, recipe: Recipe) -> list[str]:
    """Check that a finished run was made with this recipe, with the data files that it names and with its encoder.

    Held-out rows follow from the file and the recipe.

    Args:
        folder: The folder of a finished run.
        recipe: The recipe, which need not be resolved.

    Returns:
        Notes about files that are missing by now or are not in the provenance.

    Raises:
        RunError: The recipe, a data file or the encoder is another one, or the run folder is damaged.
    """
    before = _own_recipe(folder)
    moved = _same_missing_folder(before.encoder, recipe.encoder)
    _refuse_changes(
        folder, _changes(before, recipe, ignored={"encoder"} if moved else (), resolved=False), finished=True
    )
    data, notes = folder.fingerprints(), _refuse_other_plugins(folder, before)
    now, missing = current_fingerprints(recipe)
    _refuse_other_data(folder, data, {name: value for name, value in now.items() if name in data})
    notes += [_not_recorded(name) for name in sorted(now.keys() - data.keys())]
    notes += [f"{name} was not compared with the finished run: {reason}" for name, reason in missing.items()]
    try:
        _refuse_other_encoder(folder, resolve(before.encoder, Path.cwd()).sha256)
    except EncoderError as error:
        notes.append(f"the encoder was not compared with the finished run: {error.what}")
    return notes


def current_fingerprints(recipe: Recipe) -> tuple[dict[str, str], dict[str, str]]:
    """Return the SHA-256 of every data file that a recipe names, and why others cannot be read. Both are by name."""
    fingerprints: dict[str, str] = {}
    missing: dict[str, str] = {}
    folder = Path(recipe.data_dir)
    for options in recipe.tasks.values():
        for spec in (options.train, options.dev, options.test):
            if spec is None or isinstance(spec, float) or files_name(spec) in fingerprints:
                continue
            try:
                source = open_task_source(options, spec, folder, labelled=False)
                fingerprints[files_name(spec)] = source.fingerprint()
            except (ManyheadsError, OSError) as error:
                missing[files_name(spec)] = _reason(error)
    for name in _pretraining_files(recipe):
        try:
            fingerprints[name] = pretraining_fingerprint(folder, name)
        except (ManyheadsError, OSError) as error:
            missing[name] = _reason(error)
    return fingerprints, missing


def recipe_checksum(text: str) -> str:
    """Return the SHA-256 of the values of a recipe in TOML, without the keys that may be edited in a run folder."""
    values = {key: value for key, value in _flat(parse(text)).items() if key not in MOVABLE}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def check_own_recipe(folder: RunFolder) -> None:
    """Check that the recipe in a run folder is the one that the run was made with. Runs of 0.4.0 do not record it.

    Raises:
        RunError: It was changed, or it is not readable.
    """
    recorded = folder.read_provenance().get("recipe")
    try:
        found = recipe_checksum(folder.recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged_recipe(str(folder.recipe), str(error)) from error
    if recorded is not None and recorded != found:
        raise _damaged_recipe(str(folder.recipe), "other values than those that the run was made with")


def began_separate(folder: RunFolder, recipe: Recipe) -> bool:
    """Return whether a recipe resumes a run of version 0.4.0 or before, in which every batch had rows of one task.

    The recipe of such a run lacks the key `batching.streams`. A recipe that sets the key has the last word.
    """
    if "streams" in recipe.batching.model_fields_set:
        return False
    try:
        own = parse(folder.recipe.read_text(encoding="utf-8")).get("batching")
    except (OSError, ValueError):
        return False  # there is no run yet, or the check of its recipe reports the damage
    return isinstance(own, Mapping) and "streams" not in own


def with_separate_streams(recipe: Recipe) -> Recipe:
    """Return the recipe so that every batch has rows of one task."""
    return recipe.model_copy(update={"batching": recipe.batching.model_copy(update={"streams": "separate"})})


def _own_recipe(folder: RunFolder) -> Recipe:
    check_own_recipe(folder)
    try:
        own = load_recipe(folder.recipe)
        return with_separate_streams(own) if began_separate(folder, own) else own
    except RecipeError as error:
        raise _damaged_recipe(error.where or str(folder.recipe), error.found or error.what) from error


def _damaged_recipe(where: str, found: object) -> RunError:
    hint = f"restore the file from a copy, or {_other_folder()}"
    return RunError("the recipe in the run folder was changed or is damaged", where=where, found=found, hint=hint)


def _changes(before: Recipe, now: Recipe, *, ignored: Container[str], resolved: bool) -> Iterator[str]:
    """Yield the keys whose values differ. If `now` is not resolved, values that the run filled in match every value."""
    old, new = (_flat(each.model_dump() | {"data_dir": os.path.realpath(each.data_dir)}) for each in (before, now))
    unused = set(_unused(before)) & set(_unused(now))
    for key in sorted(old.keys() | new.keys()):
        if key in ignored or key.partition(".")[0] in UNCOMPARED or old.get(key) == new.get(key):
            continue
        if key.startswith(tuple(unused)):
            continue
        if not resolved and new.get(key) in (None, "auto") and _filled_in(key, new):
            continue
        yield f"{key}: {old.get(key)!r} before, {new.get(key)!r} now"


def _of_label_spaces() -> set[str]:
    """Return the keys of the label spaces of all kinds, which a run reads from the training file."""
    return {key for kind in KINDS.values() for key in kind.sample().space()}


def _filled_in(key: str, new: Mapping[str, Any]) -> bool:
    """Return whether the run fills in a key that the recipe does not set, as it does with the options of its head."""
    table, _, last = key.rpartition(".")
    return last in RESOLVED or last in _of_label_spaces() or (key not in new and new.get(f"{table}.kind", "") is None)


def _unused(recipe: Recipe) -> Iterator[str]:
    """Yield the beginnings of keys that have no effect on a run of the recipe whose data are unchanged."""
    if all(len(names) == 1 for names in groups_of(recipe.tasks)):
        yield "batching.streams"
    if not any(isinstance(options.dev, float) for options in recipe.readers.values()):
        yield "held_out_with"
    yield from (f"held_out_with.{name}.{key}" for name in recipe.held_out_with or () for key in ("pair", "train_rows"))


def _refuse_changes(folder: RunFolder, changes: Iterator[str], *, finished: bool = False) -> None:
    changed = list(changes)
    if changed:
        again = call("train", folder.recipe, out=folder.path, resume=True)
        hint = f"{_other_folder()}, or resume with the recipe of the run: {again}"
        raise RunError(
            "the finished run in this folder has another recipe"
            if finished
            else "the recipe has changed since the run started",
            where=str(folder.path),
            found=", ".join(changed[:5]),
            hint=_other_folder() if finished else hint,
        )


def _refuse_other_data(
    folder: RunFolder, before: Mapping[str, str], now: Mapping[str, str], *, complete: bool = False
) -> None:
    """Refuse other fingerprints. `complete`: whether `now` has all of them, so that none may be missing."""
    names = now.keys() | before.keys() if complete else now.keys()
    different = sorted(name for name in names if before.get(name) != now.get(name))
    if different:
        name = different[0]
        raise RunError(
            "the data has changed since the run started",
            where=name,
            found=f"fingerprint {now.get(name)} now, {before.get(name)} in {folder.provenance}",
            hint=f"restore the file, or {_other_folder()}",
        )


def _refuse_other_encoder(folder: RunFolder, now: str | None) -> None:
    encoder = folder.read_provenance().get("encoder")
    before = encoder.get("sha256") if isinstance(encoder, Mapping) else None
    if now is not None and before is not None and before != now:
        raise RunError(
            "the weights of the encoder have changed since the run started",
            where=str(folder.path),
            found=f"fingerprint {now} now, {before} in {folder.provenance}",
            hint=f"restore the encoder, or {_other_folder()}",
        )


def _refuse_other_plugins(folder: RunFolder, recipe: Recipe) -> list[str]:
    """Refuse plug-ins with other code than those of the run. Return notes about other versions of packages."""
    recorded = folder.read_provenance().get("plugins")
    changed, notes = changed_since(recorded, origins_of(used_by(recipe)))
    if changed:
        raise RunError(
            "a plug-in has changed since the run started",
            where=str(folder.path),
            found=f"{', '.join(changed)}: another checksum than in {folder.provenance}",
            hint=f"restore the file, or {_other_folder()}",
        )
    return notes


def _same_missing_folder(before: str, now: str) -> bool:
    """Return whether `now` may be the folder `before`, which is gone. Only an existing folder has an absolute path."""
    gone = Path(before).is_absolute() and not Path(before).exists()
    parts = Path(now).parts
    return gone and Path(before).parts[-len(parts) :] == parts


def _pretraining_files(recipe: Recipe) -> Sequence[str]:
    return () if recipe.pretraining is None else recipe.pretraining.files


def _not_recorded(name: str) -> str:
    return f"{name} was not compared, because the run has no fingerprint of it"


def _reason(error: Exception) -> str:
    return error.what if isinstance(error, ManyheadsError) else str(error)


def _flat(table: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of nested tables by their dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and not is_one_value((*at, key)):
            flat.update(_flat(value, (*at, key)))
        else:
            flat[".".join((*at, key))] = value
    return flat


CHOSEN = ("group",)
"""Keys whose None a run does not fill in."""


def differences(planned: Mapping[str, Any], ran: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Describe where the recipe of a run differs from the planned one.

    A planned None or "auto" matches every value, except where None is a value of its own.
    """
    for key, value in planned.items():
        other = ran.get(key)
        if not prefix and key in REPORT_ONLY:
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from differences(value, other, f"{prefix}{key}.")
        elif value != other and (key in CHOSEN or value not in (None, "auto")):
            yield f"{prefix}{key}: {other!r} in the run, {value!r} in the study"
