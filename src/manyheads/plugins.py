"""Members from outside the package: `register` adds one to its menu. Plug-ins are files and packages that call it.

A recipe, a run folder or a bundle never names code that is imported. It has the name of a member and of its plug-in,
which are only used in messages.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from manyheads.errors import ManyheadsError, argument, by_caller
from manyheads.menu import Menu

GROUP = "manyheads.plugins"
"""The group of entry points by which an installed package names its plug-ins."""

VARIABLE = "MANYHEADS_PLUGINS"
"""The environment variable with files of plug-ins, separated as in PATH."""

MAIN = "__main__"

IMPORTS = "install what is missing; a plug-in of several files must be an installed package"
"""What to do if the file of a plug-in cannot import something. The files next to it are not on the path of modules."""

_PLACES: dict[str, tuple[str, str]] = {
    "kind": ("manyheads.tasks.kinds:KINDS", "manyheads.tasks.kind.Kind"),
    "metric": ("manyheads.evaluation.metrics:METRICS", "manyheads.evaluation.metrics.metric.Metric"),
    "loss": ("manyheads.model.losses:LOSSES", "manyheads.model.losses.LossEntry"),
    "head": ("manyheads.model.heads:HEADS", "manyheads.model.heads.HeadEntry"),
    "batching": ("manyheads.data.batching:BATCHING", "manyheads.data.batching.BatchingEntry"),
    "weighting": ("manyheads.training.weighting:WEIGHTING", "manyheads.training.weighting.WeightingEntry"),
    "format": ("manyheads.data.reading.formats:FORMATS", "manyheads.data.reading.formats.Format"),
    "exporter": ("manyheads.runs.exporters:EXPORTERS", "manyheads.runs.exporters.Exporter"),
    "tracker": ("manyheads.training.tracking:TRACKERS", "manyheads.training.tracking.TrackerEntry"),
}
"""The place of each menu, and the type of its members. A menu is imported when a member is added to it or asked for.

A kind or a format can so be used without torch.
"""

Used = Iterable[tuple[str, str]]
"""Members: the menu and the name of each."""

Origins = Mapping[str, Mapping[str, str]]
"""The plug-in of each member from outside, by menu and name."""


class PluginError(ManyheadsError):
    """A plug-in cannot be loaded, has changed, or is needed and was not given."""


@dataclass(frozen=True)
class Plugin:
    """Code that adds members: a file, an installed package, a module that a program imported, or the program itself.

    `name`: the name of the file, the package or the module, or "__main__". `version`: of a package. `file`: the
    absolute path of a file. `sha256`: the checksum of the file that has the code. `module`, `root`: the module, and the
    folder from which it is imported.
    """

    name: str
    version: str | None = None
    file: str | None = None
    sha256: str | None = None
    module: str | None = None
    root: str | None = None

    @property
    def record(self) -> dict[str, str]:
        """What provenance and manifests record: the version of a package, or the checksum of a file."""
        found = {"version": self.version, "sha256": None if self.version else self.sha256}
        return {key: value for key, value in found.items() if value is not None}


class _State:
    """The plug-ins of this process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.plugins: dict[str, Plugin] = {}
        self.further: list[Plugin] = []  # modules of packages of which another module is in `plugins`
        self.current: Plugin | None = None
        self.loading = False
        self.given: list[str] = []
        self.installed = False


_STATE = _State()

AnyMember = TypeVar("AnyMember")


def register(member: AnyMember) -> AnyMember:
    """Add a member to its menu. Its type says to which: a kind is a class, and every other member is a record.

    Recipes can then name the member. Call it in a file that `--plugin` or MANYHEADS_PLUGINS names, in a module that the
    entry points `manyheads.plugins` of an installed package name, or in a program.

    Args:
        member: a subclass of `Kind`, or a `Metric`, `LossEntry`, `HeadEntry`, `BatchingEntry`, `WeightingEntry`,
            `Format`, `Exporter` or `TrackerEntry`.

    Returns:
        The member, so that a subclass of `Kind` can be decorated.

    Raises:
        ManyheadsError: The name is taken, or the member does not pass a short check of its contract.
        TypeError: No menu has members of this type.
    """
    types = member.__mro__ if isinstance(member, type) else type(member).__mro__
    names = {f"{each.__module__}.{each.__qualname__}" for each in types}
    key = next((key for key, (_, name) in _PLACES.items() if name in names), None)
    if key is None or isinstance(member, type) != (key == "kind"):
        allowed = ", ".join(name.rpartition(".")[2] for key, (_, name) in _PLACES.items() if key != "kind")
        found = f"no menu has members of the type {type(member).__name__}"
        raise TypeError(f"{found}; a member is a subclass of Kind, or one of {allowed}")
    with _STATE.lock:
        plugin = _STATE.current or _of_caller(sys._getframe(1).f_globals)
        if plugin is not _STATE.current:
            _check_name(plugin)
        menu_of(key).add(member, plugin.name)
        if plugin is not _STATE.current:
            _keep(plugin)
    return member


def menu_of(key: str) -> Menu[Any]:
    """Return a menu by its key, such as "head"."""
    module, _, name = _PLACES[key][0].partition(":")
    menu: Menu[Any] = getattr(importlib.import_module(module), name)
    return menu


# Loading


def load(files: Sequence[str | Path] = ()) -> None:
    """Load the plug-ins of installed packages, those of MANYHEADS_PLUGINS, and files, each once.

    Raises:
        PluginError: A plug-in cannot be loaded.
    """
    with _STATE.lock:
        if _STATE.loading:  # a plug-in uses manyheads while it is loaded
            return
        _STATE.loading = True
        try:
            if not _STATE.installed:
                for entry in importlib.metadata.entry_points(group=GROUP):
                    _load_installed(entry)
                _STATE.installed = True
            named = [each for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
            given = [str(each) for each in files]
            for file, where in [*((each, VARIABLE) for each in named), *((each, "--plugin") for each in given)]:
                _load_file(Path(file).expanduser().absolute(), where)
            _STATE.given += [each for each in given if each not in _STATE.given]
        finally:
            _STATE.loading = False


def options() -> list[str]:
    """Return the options of a command that give it the files which this one was given."""
    return [word for file in _STATE.given for word in ("--plugin", file)]


def _load_installed(entry: importlib.metadata.EntryPoint) -> None:
    name, version = (entry.dist.name, entry.dist.version) if entry.dist else (entry.module, None)
    plugin = Plugin(name, version, module=entry.module)
    with _loaded_as(plugin, f"package {name}, entry point {entry.name} = {entry.value}"):
        found = entry.load()
        if not isinstance(found, ModuleType):
            register(found)


def _load_file(path: Path, where: str) -> None:
    try:
        source = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PluginError(
            "the file of a plug-in cannot be read", where=f"{where}: {path}", found=reason, allowed="a Python file"
        ) from None
    plugin = Plugin(path.name, file=str(path), sha256=hashlib.sha256(source).hexdigest())
    known = _STATE.plugins.get(plugin.name)
    if known is not None:
        _check_same(known, plugin, where)
        return
    module = ModuleType(f"manyheads_plugin_{path.stem}")
    module.__file__ = str(path)
    # Pydantic and dataclasses look for the types in annotations in the module.
    sys.modules[module.__name__] = module
    with _loaded_as(plugin, str(path)):
        # The bytes that run are those of the recorded checksum, and no __pycache__ is written next to the file.
        exec(compile(source, path, "exec"), module.__dict__)


def _check_same(known: Plugin, plugin: Plugin, where: str) -> None:
    """Check that a plug-in that is loaded already is the same one.

    Raises:
        PluginError: It is another file, or the file has changed.
    """
    if known.sha256 == plugin.sha256:
        return
    changed = known.file == plugin.file
    raise PluginError(
        "the plug-in has changed since it was loaded" if changed else "two plug-ins have the same name",
        where=where,
        found=plugin.file if changed else f"{known.file or known.name} and {plugin.file}",
        hint="start the program again" if changed else "rename one of the files",
    )


@contextmanager
def _loaded_as(plugin: Plugin, where: str) -> Iterator[None]:
    """Load a plug-in in the block. What it registers is attributed to it, and what it prints is not the output."""
    _STATE.current = plugin
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ManyheadsError:
        raise
    except (Exception, SystemExit) as error:
        own = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == plugin.file]
        raise PluginError(
            "the plug-in cannot be loaded",
            where=f"{where}:{own[-1].lineno}" if own else where,
            found=f"{type(error).__name__}: {error}",
            hint=IMPORTS if isinstance(error, ImportError) and plugin.file else "correct it, or run without it",
        ) from error
    finally:
        _STATE.current = None
    _STATE.plugins[plugin.name] = plugin


def _check_name(plugin: Plugin) -> None:
    """Check that no other file with the name of an imported one has members. A module may be imported again.

    Raises:
        PluginError: There is one.
    """
    known = _STATE.plugins.get(plugin.name)
    if known is not None and known.file != plugin.file and known.sha256 != plugin.sha256:
        _check_same(known, plugin, "manyheads.register")


def _keep(plugin: Plugin) -> None:
    """Remember an imported plug-in. The code of a module that was imported again replaces what was known of it."""
    known = _STATE.plugins.get(plugin.name)
    if known is None or known.module == plugin.module:
        _STATE.plugins[plugin.name] = plugin
    else:
        _STATE.further = [*(each for each in _STATE.further if each.module != plugin.module), plugin]


def _of_caller(scope: Mapping[str, Any]) -> Plugin:
    """Return the plug-in of a module that calls `register`."""
    name, file = str(scope.get("__name__", MAIN)), scope.get("__file__")
    if name == MAIN or file is None or not Path(file).is_file():
        return Plugin(MAIN)
    path = Path(file).absolute()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not scope.get("__package__"):
        return Plugin(path.name, file=str(path), sha256=digest)
    top = name.partition(".")[0]
    depth = name.count(".") + (path.stem == "__init__")
    place = {"module": name, "root": str(path.parents[depth]), "sha256": digest}
    packages = importlib.metadata.packages_distributions().get(top)
    if packages:
        return Plugin(packages[0], importlib.metadata.version(packages[0]), **place)
    return Plugin(name, **place)


# What a run used, and what it needs


def origins_of(used: Used) -> dict[str, dict[str, str]]:
    """Return the plug-in of each of these members that is from outside the package."""
    found: dict[str, dict[str, str]] = {}
    for key, name in sorted(set(used)):
        origin = menu_of(key).origins.get(name)
        if origin is not None:
            found.setdefault(key, {})[name] = origin
    return found


def records_of(origins: Origins) -> dict[str, dict[str, str]]:
    """Return what is recorded of the plug-ins of members: the version or the checksum of each, by its name."""
    names = {name for members in origins.values() for name in members.values()}
    return {name: _STATE.plugins[name].record for name in sorted(names) if name in _STATE.plugins}


def require_members(origins: object, where: str, keys: Iterable[str] | None = None) -> None:
    """Check that this process has the members from outside that a recipe or a manifest lists.

    Args:
        origins: the content of `members`: the plug-in of each member, by menu and name.
        where: the file and the key, for messages.
        keys: the menus to check. Default: all.

    Raises:
        PluginError: A member is missing.
    """
    for key, members in origins.items() if isinstance(origins, Mapping) else ():
        if key not in _PLACES or (keys is not None and key not in keys) or not isinstance(members, Mapping):
            continue
        menu = menu_of(key)
        for name, origin in members.items():
            if name not in menu:
                raise PluginError(
                    f"the {menu.noun} {name!r} is not available",
                    where=where,
                    found=f"it was added by {origin}",
                    hint=_how_to_give(str(origin)),
                )


def _how_to_give(origin: str) -> str:
    if origin == MAIN:
        register = "it was added in a program: call manyheads.register with it before"
        return by_caller(f"move it from the program that added it to a file for {argument('plugin')}", register)
    if origin.endswith(".py"):
        give = f"give the file with {argument('plugin', f'PATH/{origin}')} or {VARIABLE}"
        return by_caller(give, f"import {origin.removesuffix('.py')}, or set {VARIABLE} to the path of {origin}")
    return by_caller(f"install the package {origin}", f"install the package {origin}, or import it")


def changed_since(recorded: object, origins: Origins) -> tuple[list[str], list[str]]:
    """Compare the plug-ins of members with those that a run recorded.

    Returns:
        The plug-ins whose code is another one, and notes about packages that have another version.
    """
    now, before = records_of(origins), recorded if isinstance(recorded, Mapping) else {}
    changed, notes = [], []
    for name, record in now.items():
        old = before.get(name)
        if not isinstance(old, Mapping) or old == record:
            continue
        if "version" in old and "version" in record:
            notes.append(f"the plug-in {name} had version {old['version']} before, and has {record['version']} now")
        else:
            changed.append(name)
    return changed, notes


# Other processes


def handed_on(used: Used) -> list[dict[str, str]]:
    """Return the plug-ins of this process for another one that uses these members, for `receive`.

    A plug-in is given even if none of these members is its own: the default loss of a kind may be in another file.

    Raises:
        PluginError: A member was registered by the program itself, which another process cannot import.
    """
    origins = origins_of(used)
    for key, members in origins.items():
        for name, origin in members.items():
            if origin == MAIN:
                raise PluginError(
                    "a member that the program or notebook itself registers cannot be used in other processes",
                    found=f"the {menu_of(key).noun} {name!r}",
                    hint="write it to a file of its own and "
                    + by_caller("name the file with --plugin", "import that file")
                    + ": a process of a study cannot import the program that started it",
                )
    known = [each for name, each in sorted(_STATE.plugins.items()) if name != MAIN]
    return [
        {key: value for key, value in vars(each).items() if value is not None and key != "version"}
        for each in [*known, *_STATE.further]
    ]


def receive(plugins: Sequence[Mapping[str, str]]) -> None:
    """Load the plug-ins of the process that started this one, and all others as `load` does.

    Raises:
        PluginError: A file or a module cannot be loaded, or a file has changed since.
    """
    load([each["file"] for each in plugins if "file" in each])
    for each in plugins:
        if "module" in each and each["module"] not in sys.modules:
            _import(each["module"], each.get("root"))
        known = next((own for own in _known() if (own.name, own.module) == (each["name"], each.get("module"))), None)
        expected = each.get("sha256")
        if known is not None and expected is not None and known.sha256 not in (None, expected):
            raise PluginError("the plug-in has changed since the study began", where=each.get("file") or each["name"])


def _known() -> Iterator[Plugin]:
    yield from _STATE.plugins.values()
    yield from _STATE.further


def _import(module: str, root: str | None) -> None:
    if root is not None and root not in sys.path:
        sys.path.append(root)
    try:
        importlib.import_module(module)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        raise PluginError("the module of a plug-in cannot be imported", where=module, found=found) from error
