"""The option `--plugin` of commands, and the plug-ins that a command loads before it runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

PLUGINS = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers members such as heads or metrics. Its code is run. Repeatable.",
    ),
]


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option `--plugin`, which loads the plug-ins before it runs.

    The command raises a PluginError if a plug-in cannot be loaded.
    """

    @functools.wraps(command)
    def run(*arguments: Any, plugin: list[Path] | None = None, **options: Any) -> None:
        from manyheads.plugins import load

        load(plugin or ())
        command(*arguments, **options)

    signature = inspect.signature(command, eval_str=True)
    added = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=PLUGINS)
    parameters = [*signature.parameters.values(), added]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run
