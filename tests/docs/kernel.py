"""A kernel of Jupyter in a process of the fork server, and the cells of a notebook run in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NAME = "manyheads-tests"


@contextmanager
def client(
    sources: Sequence[str], folder: Path, home: Path, python: Path, environment: Mapping[str, str], seconds: float
) -> Iterator[NotebookClient]:
    """Give the client of a notebook with these cells of code, whose kernel is running.

    Args:
        sources: the cells.
        folder: the folder in which they run.
        home: a folder for the files of Jupyter.
        python: the program that starts the kernel.
        environment: the variables of the kernel.
        seconds: the longest time of a cell.
    """
    spec = home / "kernels" / NAME
    spec.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": words, "display_name": NAME, "language": "python"}))
    context = zmq.asyncio.Context()
    manager = AsyncKernelManager(
        context=context,
        kernel_name=NAME,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(home / "kernels")], ensure_native_kernel=False),
        connection_file=str(home / "kernel.json"),
    )
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    own = NotebookClient(made, km=manager, timeout=int(seconds), allow_errors=True, startup_timeout=600)
    try:
        variables = {**environment, "IPYTHONDIR": str(home / "ipython")}
        with own.setup_kernel(cleanup_kc=True, env=variables, cwd=str(folder)):
            yield own
    finally:
        context.destroy(linger=0)  # closes the sockets that are left


def run_cell(own: NotebookClient, place: int) -> list[dict[str, Any]]:
    """Run a cell, and return its outputs."""
    return [dict(each) for each in own.execute_cell(own.nb.cells[place], place)["outputs"]]


def text_of(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Return all text of outputs: what was printed, what was shown, and tracebacks."""
    parts = []
    for each in outputs:
        if each["output_type"] == "stream":  # a part of what was printed, which may end within a line
            parts.append(each["text"])
        elif each["output_type"] == "error":
            parts += [*(f"{line}\n" for line in each["traceback"])]
        else:
            parts.append(f"{each['data'].get('text/plain', '')}\n")
    return "".join(parts)


def failed(outputs: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a cell raised an exception."""
    return any(each["output_type"] == "error" for each in outputs)
