"""Run the server until it receives a signal."""

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
    """Listen until a signal arrives, then finish every accepted request. Port 0 chooses a free port.

    Raises:
        ServeError: the server cannot listen on the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "choose another port with --port, or a free port with --port 0"
        raise ServeError(
            "the server cannot listen on the address", where=f"{host}:{port}", found=str(error), hint=hint
        ) from error
    config = uvicorn.Config(
        create_app(predictor, options), log_config=None, access_log=False, lifespan="on", server_header=False
    )
    port = listener.getsockname()[1]
    url = f"http://[{host}]:{port}" if family == socket.AF_INET6 else f"http://{host}:{port}"
    log("listening", url=url, host=host, port=port, tasks=list(predictor.tasks), token=bool(options.token))
    uvicorn.Server(config).run(sockets=[listener])
