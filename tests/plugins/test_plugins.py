"""How plug-ins are found, loaded, refused and handed on."""

from __future__ import annotations

import hashlib
import importlib
import sys
import types
from pathlib import Path

import pytest
from tests.plugins.conftest import MEMBERS, forget

import manyheads
from manyheads import plugins
from manyheads.data.reading.formats import FORMATS, Format
from manyheads.errors import ManyheadsError
from manyheads.menu import MemberError
from manyheads.model.heads import HEADS, HeadEntry
from manyheads.model.heads.linear import Linear
from manyheads.plugins import PluginError, handed_on, receive
from manyheads.recipe.load import load_recipe
from manyheads.tasks.kind import Kind
from manyheads.training.weighting import WeightingEntry

HIDDEN = MEMBERS / "hidden.py"


def test_a_file_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins.load([HIDDEN])
    monkeypatch.setenv("MANYHEADS_PLUGINS", f"{HIDDEN}:{MEMBERS / 'recall.py'}")
    plugins.load([HIDDEN])
    assert HEADS.origins == {"hidden": "hidden.py"}
    assert plugins.menu_of("metric").origins == {"recall": "recall.py"}
    assert not list(MEMBERS.glob("__pycache__/hidden*"))


def test_a_file_that_changed_or_has_the_name_of_another_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hidden.py"
    file.write_text(HIDDEN.read_text())
    plugins.load([file])
    file.write_text(HIDDEN.read_text() + "\n")
    with pytest.raises(PluginError, match="changed since it was loaded"):
        plugins.load([file])
    with pytest.raises(PluginError, match="two plug-ins have the same name"):
        plugins.load([_other(tmp_path)])


def _other(folder: Path) -> Path:
    file = folder / "again" / "hidden.py"
    file.parent.mkdir()
    file.write_text("import manyheads\n")
    return file


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import manyheads\n1 / 0\n", r"mine\.py:2(.|\n)*ZeroDivisionError"),
        ("def f(:\n", r"mine\.py(.|\n)*SyntaxError"),
        ("import no_such_module\n", r"mine\.py:1(.|\n)*no_such_module(.|\n)*must be an installed package"),
        ("import sys\nsys.exit(0)\n", r"mine\.py:2(.|\n)*SystemExit: 0"),
    ],
)
def test_a_file_that_fails_is_an_error_with_its_line(tmp_path: Path, code: str, found: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(code)
    with pytest.raises(PluginError, match=found):
        plugins.load([file])


def test_what_a_file_prints_is_not_in_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text("print('loaded')\n")
    plugins.load([file])
    assert capsys.readouterr() == ("", "loaded\n")


def test_a_missing_file_is_an_error_that_names_where_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_PLUGINS", "nothere.py")
    with pytest.raises(PluginError, match=r"MANYHEADS_PLUGINS: .*nothere\.py"):
        plugins.load()


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (HeadEntry("linear", Linear, "single"), "there is a head with this name already"),
        (HeadEntry("Line ar", Linear, "single"), "name of a head is not valid"),
        (HeadEntry("mine", Linear, "both"), "reads is 'both'"),  # type: ignore[arg-type]
        (HeadEntry("mine", lambda *_: 3, "single"), "not a torch module"),
        (HeadEntry("mine", lambda h, k, u, d: Linear(h, k + 1, u, d), "single"), r"\[2, 4\], not \[2, 3\]"),
        (HeadEntry("mine", lambda h: Linear(h, 3, False, 0.1), "single"), "TypeError"),
        (WeightingEntry("mine", lambda weights: list), "not a scalar"),
        (Format("mine", (".csv",), FORMATS["csv"].open), "files that end in .csv have the format csv"),
        (Format("mine", ("csv",), FORMATS["csv"].open), "'csv' is not like '.csv'"),
    ],
)
def test_a_member_that_cannot_work_is_refused_with_the_reason(member: object, found: str) -> None:
    with pytest.raises(MemberError, match=found):
        manyheads.register(member)
    assert not HEADS.origins


def test_a_kind_that_lacks_something_is_refused() -> None:
    kind = type("Mine", (Kind,), {"name": "mine", "noun": "a mine task"})
    with pytest.raises(MemberError, match=r"it lacks .*decode.*summary, options, target"):
        manyheads.register(kind)


@pytest.mark.parametrize("member", [3, Linear, Kind.__mro__[1], object()])
def test_other_values_are_refused(member: object) -> None:
    with pytest.raises(TypeError, match="no menu has members of the type"):
        manyheads.register(member)


def test_a_recipe_imports_nothing(tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('the file was run')\n")
    file = tmp_path / "recipe.toml"
    file.write_text(tiny_recipe.read_text() + '\n[members.head]\nmine = "mine.py"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"the head 'mine' is not available(.|\n)*recipe\.toml:\d+"):
        load_recipe(file)


def test_an_installed_package_names_its_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_heads.py").write_text(
        HIDDEN.read_text().replace('HeadEntry("hidden"', 'HeadEntry("packed"')
        + 'MORE = HeadEntry("more", Hidden, "cross", HiddenOptions)\n'
    )
    info = tmp_path / "my_heads-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-heads\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[manyheads.plugins]\nall = my_heads\nmore = my_heads:MORE\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.load()
    assert HEADS.origins == {"packed": "my-heads", "more": "my-heads"}
    origins = plugins.origins_of([("head", "packed"), ("head", "linear")])
    assert origins == {"head": {"packed": "my-heads"}}
    assert plugins.records_of(origins) == {"my-heads": {"version": "1.2"}}
    changed, notes = plugins.changed_since({"my-heads": {"version": "1.1"}}, origins)
    assert not changed
    assert "version 1.1 before, and has 1.2 now" in notes[0]
    monkeypatch.delitem(sys.modules, "my_heads")


def test_a_package_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[manyheads.plugins]\nall = no_such_module_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"package broken(.|\n)*no_such_module_here"):
        plugins.load()


def test_an_imported_file_is_handed_on_to_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported.py").write_text(HIDDEN.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    __import__("imported")
    request = handed_on([("head", "hidden"), ("head", "linear")])
    assert [each["file"] for each in request] == [str(tmp_path / "imported.py")]
    monkeypatch.delitem(sys.modules, "imported")
    forget()
    receive(request)
    assert HEADS.origins == {"hidden": "imported.py"}
    forget()
    (tmp_path / "imported.py").write_text(HIDDEN.read_text() + "\n")
    with pytest.raises(PluginError, match="changed since the study began"):
        receive(request)


def test_a_module_of_a_package_is_handed_on_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "own_heads"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "hidden.py").write_text(HIDDEN.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    __import__("own_heads.hidden")
    (request,) = handed_on([("head", "hidden")])
    assert (request["module"], request["root"]) == ("own_heads.hidden", str(tmp_path))
    for name in ("own_heads", "own_heads.hidden"):
        monkeypatch.delitem(sys.modules, name)
    forget()
    receive([request])
    assert HEADS.origins == {"hidden": "own_heads.hidden"}
    for name in ("own_heads", "own_heads.hidden"):
        monkeypatch.delitem(sys.modules, name)


def test_every_module_of_an_installed_package_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "own_members"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("hidden", "recall"):
        (package / f"{name}.py").write_text((MEMBERS / f"{name}.py").read_text())
    info = tmp_path / "own_members-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-members\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("own_members\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = ("own_members.hidden", "own_members.recall")
    for name in modules:
        __import__(name)
    request = handed_on([("head", "hidden"), ("metric", "recall")])
    assert [each["module"] for each in request] == [*modules]
    for name in (*modules, "own_members"):
        monkeypatch.delitem(sys.modules, name)
    forget()
    receive(request)
    assert HEADS.origins == {"hidden": "own-members"}
    assert plugins.menu_of("metric").origins == {"recall": "own-members"}
    for name in (*modules, "own_members"):
        monkeypatch.delitem(sys.modules, name)


def test_a_module_that_is_imported_again_has_its_new_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited.py"
    file.write_text(HIDDEN.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("edited")
    (before,) = handed_on([("head", "hidden")])
    file.write_text(HIDDEN.read_text() + "\n# edited\n")
    importlib.reload(module)
    (after,) = handed_on([("head", "hidden")])
    assert after["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() != before["sha256"]
    assert plugins.records_of({"head": {"hidden": "edited.py"}}) == {"edited.py": {"sha256": after["sha256"]}}
    other = tmp_path / "other" / "edited.py"
    other.parent.mkdir()
    other.write_text(HIDDEN.read_text())
    monkeypatch.syspath_prepend(other.parent)
    monkeypatch.delitem(sys.modules, "edited")
    with pytest.raises(PluginError, match="two plug-ins have the same name"):
        importlib.import_module("edited")


def test_a_member_of_the_program_itself_is_refused_where_processes_are_needed(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    main = types.ModuleType("__main__")
    exec(HIDDEN.read_text(), main.__dict__)
    assert HEADS.origins == {"hidden": "__main__"}
    study = tmp_path / "study.toml"
    study.write_text(f'base = "{tiny_recipe}"\nseeds = [1]\n[rows.a]\ntasks.sentiment.head = "hidden"\n')
    with pytest.raises(ManyheadsError, match=r"program or notebook itself(.|\n)*the head 'hidden'"):
        manyheads.study(study, tmp_path / "out")
