"""`manyheads serve`: predictions over HTTP."""

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
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen on. 0 chooses a free port.")
    ] = 8000,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=0, help="Threads of the model. 0 uses one thread per core.")
    ] = 0,
    runtime: RuntimeOption = RuntimeName.torch,
    int8: Annotated[bool, typer.Option("--int8", help="Compute in 8-bit integers.")] = False,
    batching: Annotated[bool, typer.Option(help="Predict the texts of several requests in one pass.")] = True,
    delay: Annotated[
        float,
        typer.Option(
            "--delay-ms", metavar="MS", min=0, max=1000, help="Milliseconds that a text waits for further texts."
        ),
    ] = 5.0,
    batch_texts: Annotated[int, typer.Option("--batch-texts", metavar="N", min=1, help="Maximum texts per pass.")] = 64,
    queue_texts: Annotated[
        int,
        typer.Option(
            "--queue-texts", metavar="N", min=1, help="Maximum waiting texts. Further requests get the status 503."
        ),
    ] = 1024,
    body_bytes: Annotated[
        int, typer.Option("--body-bytes", metavar="N", min=1, help="Maximum bytes of a request body.")
    ] = 1 << 20,
    request_texts: Annotated[
        int, typer.Option("--request-texts", metavar="N", min=1, help="Maximum texts per request.")
    ] = 256,
    text_characters: Annotated[
        int, typer.Option("--text-characters", metavar="N", min=1, help="Maximum characters per text.")
    ] = 10_000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help=f"File with the bearer token that clients must send. Default: the token in ${TOKEN}.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve predictions of a finished run over HTTP (needs the extra `serve`).

    / has a page to try the tasks, and /docs documents the API. By default only this machine can connect.
    """
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
        warning = f"warning: no token is set, so everyone who can reach {host} can use the server ({TOKEN} sets one)"
        typer.secho(warning, fg=typer.colors.YELLOW, err=True)
    predictor = manyheads.load(run, int8=int8, runtime=runtime.value, threads=threads)
    run_server(predictor, host, port, options)


def _token(file: Path | None) -> str | None:
    """Read the token from a file or the environment. All users of a machine can read command lines."""
    try:
        token = os.environ.get(TOKEN) if file is None else file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ServeError("the token file cannot be read", where=str(file), found=str(error)) from error
    if file is not None and not token:
        raise ServeError("the token file is empty", where=str(file))
    return token or None
