"""`manyheads serve`: answer over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.predict import RunFolderArgument, RuntimeName, RuntimeOption
from manyheads.errors import ServeError

TOKEN = "MANYHEADS_TOKEN"


def serve(
    run: RunFolderArgument,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 8000,
    threads: Annotated[int, typer.Option("--threads", min=0, help="Threads of the model; 0: one a core.")] = 0,
    runtime: RuntimeOption = RuntimeName.torch,
    int8: Annotated[bool, typer.Option("--int8", help="Answer in 8-bit integers.")] = False,
    batching: Annotated[bool, typer.Option(help="Answer the texts of several requests in one pass.")] = True,
    delay: Annotated[float, typer.Option("--delay-ms", min=0, max=1000, help="Longest wait for company.")] = 5.0,
    batch_texts: Annotated[int, typer.Option("--batch-texts", min=1, help="Texts a pass.")] = 64,
    queue_texts: Annotated[int, typer.Option("--queue-texts", min=1, help="Texts that may wait; then 503.")] = 1024,
    body_bytes: Annotated[int, typer.Option("--body-bytes", min=1, help="Largest body of a request.")] = 1 << 20,
    request_texts: Annotated[int, typer.Option("--request-texts", min=1, help="Most texts a request.")] = 256,
    text_characters: Annotated[int, typer.Option("--text-characters", min=1, help="Longest text.")] = 10_000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help=f"Clients must show the token in it; or in {TOKEN}.", show_default=False),
    ] = None,
) -> None:
    """Answer the tasks of a finished run over HTTP (needs the extra `serve`). It listens on this machine alone."""
    try:
        from manyheads.inference.server.run import run_server
    except ModuleNotFoundError as error:
        raise ServeError(f"{error.name} is not installed", hint="pip install 'manyheads[serve]'") from error
    import manyheads
    from manyheads.inference.server.options import ServerOptions

    options = ServerOptions(
        batching=batching,
        delay=delay / 1000,
        batch_texts=batch_texts,
        queue_texts=queue_texts,
        body_bytes=body_bytes,
        request_texts=request_texts,
        text_characters=text_characters,
        token=_token(token_file),
    )
    if options.token is None and host not in ("127.0.0.1", "::1", "localhost"):
        typer.secho(f"anyone who reaches {host} may ask: no token is set", fg=typer.colors.YELLOW, err=True)
    predictor = manyheads.load(run, int8=int8, runtime=runtime.value, threads=threads)
    run_server(predictor, host, port, options)


def _token(file: Path | None) -> str | None:
    """The token of a file or of the environment; never of the command line, which every user of a machine can read."""
    try:
        token = os.environ.get(TOKEN) if file is None else file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ServeError("the token cannot be read", where=str(file), found=str(error)) from error
    if file is not None and not token:
        raise ServeError("the token is empty", where=str(file))
    return token or None
