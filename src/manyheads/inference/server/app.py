"""The application: routes of the HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from manyheads.errors import argument
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.batcher import Batcher, Job, Metrics, QueueFullError
from manyheads.inference.server.bodies import (
    Item,
    Predictions,
    Problem,
    ProblemError,
    Records,
    TaskExplanations,
    TaskInfo,
    TaskPredictions,
    TasksBody,
    TextsBody,
    http_error,
    invalid_request,
    predictions_by_task,
    problem_response,
    rows_of,
    task_explanations,
    task_predictions,
)
from manyheads.inference.server.gate import Gate, log
from manyheads.inference.server.options import ServerOptions, hosts_for
from manyheads.version import __version__

TaskName = Annotated[str, PathParameter(description="Name of the task.")]

STATIC = Path(__file__).parent / "static"

READ = ["GET", "HEAD"]

EXPLAINED_TEXTS = 8
"""Maximum number of texts per request to explain."""

DESCRIPTION = """
Predictions of a trained model. `GET /v1/tasks` lists its tasks. The [page of this server](/) has a form to try them.

Responses have the predictions under `predictions`. The key `answers` is a deprecated copy that version 1.0 removes.

If the server has a token, send it in the header `Authorization: Bearer TOKEN`.
"""

_REASONS = {
    400: "The body is not UTF-8 text, or the server does not have the name in the header `Host`.",
    401: "The bearer token is missing or wrong.",
    404: "The model has no such task, or its runtime does not support explanations.",
    408: "The body did not arrive in time.",
    413: "The body, a text or the number of texts is too large.",
    415: "The body is not `application/json`.",
    422: "The body is invalid, or a text is not what the task reads.",
    431: "The headers are too large.",
    503: "Too many texts are waiting. Try again after the seconds of the header `Retry-After`.",
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": reason} for status, reason in _REASONS.items()
}


Run = Callable[[list[str], list[Item], bool], Awaitable[dict[str, Records]]]
"""Predicts tasks for texts, with explanations or without."""


def create_app(predictor: Predictor, options: ServerOptions, host: str = "127.0.0.1") -> Gate:
    """Return the ASGI application of a predictor.

    `host`: the address that the server listens on. It decides which names are accepted if the options name none.

    Raises:
        ServeError: an allowed host is not a host name.
    """
    metrics = Metrics()
    batcher: list[Batcher] = []

    def started() -> Batcher:
        """Return the batcher of this event loop. A mounted application has no lifespan in which it could start."""
        if not batcher or not batcher[0].is_here:
            for other in batcher:
                other.close()
            batcher[:] = [Batcher(predictor, options, metrics)]
        return batcher[0]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        started()
        yield
        await batcher[0].stop()
        # `answered` is the deprecated name of `responded`. Version 1.0 removes it.
        log("stopped", accepted=gate.accepted, responded=gate.responded, answered=gate.responded)

    app = FastAPI(
        title="manyheads",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A redirect would repeat the header `Host` of the request.
        redirect_slashes=False,
    )
    app.add_exception_handler(ProblemError, problem_response)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, http_error)
    gate = Gate(app, options, metrics, hosts_for(host, options.hosts, token=options.token is not None))

    async def run(tasks: list[str], texts: list[Item], explain: bool) -> dict[str, Records]:
        """Predict tasks for texts in the next batch."""
        job = Job(tuple(tasks), rows_of(predictor, options, tasks, texts), explain)
        try:
            records = await started().submit(job)
        except QueueFullError:
            raise ProblemError(503, "too many texts are waiting", hint="try again in a second") from None
        for name in tasks:
            metrics.count_predictions(name, len(texts))
        return records

    _add_predictions(app, predictor, run)
    _add_operations(app, started, metrics)
    return gate


def _add_predictions(app: FastAPI, predictor: Predictor, run: Run) -> None:
    """Add the routes for predictions."""

    @app.get("/v1/tasks", tags=["Tasks"], responses={401: PROBLEMS[401]}, summary="List the tasks")
    async def tasks() -> list[TaskInfo]:
        """List the tasks of the model, with their labels or ranges."""
        return [_info(predictor, name) for name in predictor.tasks]

    @app.post(
        "/v1/predict",
        tags=["Predictions"],
        responses=PROBLEMS,
        response_model=Predictions,
        summary="Predict several tasks",
    )
    async def predict_several(body: TasksBody) -> Response:
        """Predict several tasks for the same texts.

        The encoder reads a text once for all tasks that encode it in the same way.
        """
        return predictions_by_task(await run(body.tasks, body.texts, False))

    @app.post(
        "/v1/predict/{task}",
        tags=["Predictions"],
        responses=PROBLEMS,
        response_model=TaskPredictions,
        summary="Predict one task",
    )
    async def predict(task: TaskName, body: TextsBody) -> Response:
        """Predict one task for texts or pairs of texts."""
        return task_predictions(task, (await run([task], body.texts, False))[task])

    @app.post(
        "/v1/explain/{task}",
        tags=["Predictions"],
        responses=PROBLEMS,
        response_model=TaskExplanations,
        summary="Explain predictions",
    )
    async def explain(task: TaskName, body: TextsBody) -> Response:
        """Predict one task, and return the weight of every token (gradient x input).

        A request may have at most 8 texts. Only the runtime `torch` supports explanations.
        """
        if not predictor.explains:
            raise ProblemError(
                404,
                "the runtime does not support explanations",
                hint=f"start the server with {argument('runtime', 'torch')}",
            )
        if len(body.texts) > EXPLAINED_TEXTS:
            raise ProblemError(413, "too many texts to explain", where="texts", allowed=str(EXPLAINED_TEXTS))
        return task_explanations(task, (await run([task], body.texts, True))[task])


def _add_operations(app: FastAPI, started: Callable[[], Batcher], metrics: Metrics) -> None:
    """Add the routes for operators and browsers."""

    @app.api_route("/healthz", methods=READ, include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.api_route("/readyz", methods=READ, include_in_schema=False)
    async def ready(response: Response) -> dict[str, str]:
        is_ready = started().ready
        response.status_code = 200 if is_ready else 503
        return {"status": "ready" if is_ready else "not ready"}

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="manyheads API",
            swagger_js_url="/assets/swagger-ui-bundle.js",
            swagger_css_url="/assets/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    app.mount("/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.api_route("/", methods=READ, include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "page.html")


def _info(predictor: Predictor, name: str) -> TaskInfo:
    task = predictor.tasks[name]
    space = task.kind.space()
    return TaskInfo(
        name=name,
        texts=1 if task.kind.reads == "candidates" else len(task.text),
        columns=list(task.columns),
        candidates=task.kind.reads == "candidates",
        predicts=task.kind.described(),
        explained=predictor.explains and task.kind.reads != "tokens",
        labels=space.get("labels"),
        range=space.get("range"),
    )
