"""From a predictor to a process that listens."""

from __future__ import annotations

import socket

import uvicorn

from manyheads.errors import ServeError
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.app import create_app
from manyheads.inference.server.gate import log
from manyheads.inference.server.options import ServerOptions

BACKLOG = 2048


def run_server(predictor: Predictor, host: str, port: int, options: ServerOptions) -> None:
    """Listen until a signal comes, then finish every request that was accepted. Port 0 is any that is free.

    Raises:
        ServeError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "choose another with --port, or --port 0 for any that is free"
        raise ServeError("cannot listen", where=f"{host}:{port}", found=str(error), hint=hint) from error
    config = uvicorn.Config(
        create_app(predictor, options), log_config=None, access_log=False, lifespan="on", server_header=False
    )
    log("listening", host=host, port=listener.getsockname()[1], tasks=list(predictor.tasks), token=bool(options.token))
    uvicorn.Server(config).run(sockets=[listener])
