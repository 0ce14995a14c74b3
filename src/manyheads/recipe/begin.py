"""The recipe and the provenance in a run folder: written by a new run, compared by one that is resumed.

A resumed run must have the recipe, the data and the encoder that it started with. The provenance has versions,
hardware, threads, the seed, fingerprints of the data and the commit.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.data.reading import files_name
from manyheads.errors import EncoderError, ManyheadsError, RecipeError, RunError, argument, call
from manyheads.model.weights import EncoderSource, resolve
from manyheads.plugins import changed_since, origins_of
from manyheads.pretraining.texts import pretraining_fingerprint
from manyheads.recipe.given import own_recipe
from manyheads.recipe.load import is_one_value, load_recipe, plugin_records, recipe_from, recipe_to_toml, used_by
from manyheads.recipe.prepare import Prepared
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import groups_of, open_task_source
from manyheads.recipe.toml import parse
from manyheads.run.atomic import write_json, write_text
from manyheads.run.events import cut_after
from manyheads.run.folder import RunFolder
from manyheads.tasks.kinds import KINDS
from manyheads.training.checkpoint import read_progress, step_of


def begin_run(folder: RunFolder, recipe: Recipe, prepared: Prepared, source: EncoderSource, processes: int) -> None:
    """Write the recipe and the provenance of a new run on a number of processes."""
    text = own_recipe(recipe, folder)
    provenance = collect_provenance(
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
    provenance |= {**more, "processes": processes, "recipe": _recipe_checksum(text)}
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
    return results, _check_finished(folder, recipe)


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
        write_json(folder.provenance, {**provenance, "recipe": _recipe_checksum(text)})


PACKAGES = ("manyheads", "torch", "transformers", "tokenizers", "numpy", "scipy", "scikit-learn")


def collect_provenance(
    *,
    seed: int,
    threads: int,
    device: str,
    precision: str,
    encoder: Mapping[str, object],
    data: Mapping[str, str],
    command: list[str],
) -> dict[str, object]:
    """Return the content of provenance.json.

    `data` maps each file to the SHA-256 of its content. `encoder` names the encoder's weights and their SHA-256.
    """
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "device": device,
        },
        "threads": threads,
        "seed": seed,
        "precision": precision,
        "encoder": dict(encoder),
        "data": dict(data),
        "commit": _commit(),
        "command": command,
    }


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "torch" in sys.modules:  # with its build, such as +cu130, which the package metadata can lack
        versions["torch"] = str(sys.modules["torch"].__version__)
    return versions


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the git commit of the source tree, with "-dirty" if files were changed, or None outside a git tree."""
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", __file__)
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return (f"{head}-dirty" if changed else head) if tracked else None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()


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
    before = _resumed_recipe(folder)
    _refuse_changes(folder, _changes(before, now, ignored=ignored, resolved=True))
    data = folder.fingerprints()
    unknown = {name for name in _pretraining_files(now) if name not in data}
    compared = {name: value for name, value in fingerprints.items() if name not in unknown}
    _refuse_other_data(folder, data, compared, complete=True)
    _refuse_other_encoder(folder, encoder)
    notes = _refuse_other_plugins(folder, now)
    return [*notes, *(_not_recorded(name) for name in sorted(unknown & fingerprints.keys()))]


def _check_finished(folder: RunFolder, recipe: Recipe) -> list[str]:
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
    before = _resumed_recipe(folder)
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


def _recipe_checksum(text: str) -> str:
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
        found = _recipe_checksum(folder.recipe.read_text(encoding="utf-8"))
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


def recipe_of_run(folder: RunFolder) -> Recipe:
    """Return the recipe in a run folder, verified as in `check_own_recipe` if the folder has a provenance.

    Raises:
        RunError: It was changed, or it is not readable.
    """
    if folder.provenance.exists():
        check_own_recipe(folder)
    return _loaded(folder)


def _resumed_recipe(folder: RunFolder) -> Recipe:
    """Return the recipe of a run that is resumed, which must have a provenance."""
    check_own_recipe(folder)
    own = _loaded(folder)
    return with_separate_streams(own) if began_separate(folder, own) else own


def _loaded(folder: RunFolder) -> Recipe:
    try:
        return load_recipe(folder.recipe)
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
