"""`manyheads serve`: predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.predict import RunFolderArgument, RuntimeName, RuntimeOption
from manyheads.errors import ServeError
from manyheads.run.names import MOST_THREADS


def serve(
    run: RunFolderArgument,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen on. 0 chooses a free port.")
    ] = 8000,
    threads: Annotated[
        int,
        typer.Option(
            "--threads",
            metavar="N",
            min=0,
            max=MOST_THREADS,
            help="Threads of the model. 0 uses one thread per core.",
        ),
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
            help="File with the bearer token that clients must send. Default: the token in $MANYHEADS_TOKEN.",
            show_default=False,
        ),
    ] = None,
    without_token: Annotated[
        bool, typer.Option("--without-token", help="Let everyone use a server that other machines can reach.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            help="Name in the header Host that is accepted, for example model.example.org, *.example.org or *. Repeat "
            "the option for several names. Default: every name if a token is set, otherwise the names of the address.",
            show_default=False,
        ),
    ] = None,
    header_bytes: Annotated[
        int, typer.Option("--header-bytes", metavar="N", min=1024, help="Maximum bytes of the headers of a request.")
    ] = 32 << 10,
    connections: Annotated[
        int,
        typer.Option(
            "--connections",
            metavar="N",
            min=1,
            help="Maximum connections. A new one ends the one that has waited longest for a request.",
        ),
    ] = 512,
    idle_seconds: Annotated[
        float,
        typer.Option(
            "--idle-seconds",
            metavar="S",
            min=0.1,
            help="Seconds that a connection may wait for its next request (keep-alive), for the rest of a header, or "
            "for a client that does not read.",
        ),
    ] = 30.0,
    stop_seconds: Annotated[
        float,
        typer.Option(
            "--stop-seconds",
            metavar="S",
            min=0.1,
            help="Seconds within which the server ends after SIGTERM or SIGINT. It finishes accepted requests first.",
        ),
    ] = 30.0,
) -> None:
    """Serve predictions of a finished run over HTTP (needs the extra `serve`).

    / has a page to try the tasks, and /docs documents the API. By default only this machine can connect.
    """
    try:
        from manyheads.inference.server.run import serve_run
    except ModuleNotFoundError as error:
        raise ServeError(f"{error.name} is not installed", hint="pip install 'manyheads[serve]'") from error
    from manyheads.inference.server.options import ServerOptions, read_token

    options = ServerOptions(
        batching=batching,
        delay=delay / 1000,
        batch_texts=batch_texts,
        queue_texts=queue_texts,
        body_bytes=body_bytes,
        request_texts=request_texts,
        text_characters=text_characters,
        token=read_token(token_file),
        header_bytes=header_bytes,
        connections=connections,
        idle_seconds=idle_seconds,
        stop_seconds=stop_seconds,
        hosts=tuple(allowed_host) if allowed_host else None,
        without_token=without_token,
    )
    serve_run(run, host, port, options, int8=int8, runtime=runtime.value, threads=threads)
