"""The application: routes over a predictor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from manyheads.inference.predictor import Predictor
from manyheads.inference.server.batcher import Batcher, Job, QueueFullError
from manyheads.inference.server.gate import Gate, log
from manyheads.inference.server.metrics import Metrics
from manyheads.inference.server.options import ServerOptions
from manyheads.inference.server.problems import ProblemError, checked, misshapen, plain, refused
from manyheads.inference.server.schemas import (
    Answers,
    ExplainedAnswers,
    Item,
    Problem,
    TaskInfo,
    TasksAnswers,
    TasksBody,
    TextsBody,
)
from manyheads.version import __version__

STATIC = Path(__file__).parent / "static"
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 404, 408, 413, 422, 503)
}


def create_app(predictor: Predictor, options: ServerOptions) -> Gate:
    """The ASGI application that answers from a predictor."""
    metrics = Metrics()
    batcher: list[Batcher] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher[:] = [Batcher(predictor, options, metrics)]
        batcher[0].start()
        yield
        await batcher[0].stop()
        log("stopped", accepted=gate.accepted, answered=gate.answered)

    app = FastAPI(title="manyheads", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(ProblemError, refused)
    app.add_exception_handler(RequestValidationError, misshapen)
    app.add_exception_handler(HTTPException, plain)
    gate = Gate(app, options, metrics)

    async def ask(tasks: list[str], texts: list[Item], *, explain: bool = False) -> dict[str, list[dict[str, Any]]]:
        job = Job(tuple(tasks), checked(predictor, options, tasks, texts), explain)
        try:
            found = await batcher[0].submit(job)
        except QueueFullError:
            raise ProblemError(503, "too many texts are waiting", hint="try again in a second") from None
        for name in tasks:
            metrics.answers.labels(name).inc(len(texts))
        return found

    @app.get("/v1/tasks")
    async def tasks() -> list[TaskInfo]:
        """The tasks that are answered here."""
        return [_info(predictor, name) for name in predictor.tasks]

    @app.post("/v1/predict", responses=REFUSALS)
    async def predict_several(body: TasksBody) -> TasksAnswers:
        """Answer several tasks about the same texts; a text is encoded once for all that read it alike."""
        return TasksAnswers.model_validate({"answers": await ask(body.tasks, body.texts)})

    @app.post("/v1/predict/{task}", responses=REFUSALS)
    async def predict(task: str, body: TextsBody) -> Answers:
        """Answer one task about texts, or about pairs of texts."""
        return Answers.model_validate({"task": task, "answers": (await ask([task], body.texts))[task]})

    @app.post("/v1/explain/{task}", responses=REFUSALS)
    async def explain(task: str, body: TextsBody) -> ExplainedAnswers:
        """Answer one task, and say which tokens mattered: gradient x input, 8 texts a request at most."""
        if not predictor.explains:
            raise ProblemError(404, "this server's runtime cannot weigh tokens", hint="serve with --runtime torch")
        if len(body.texts) > 8:
            raise ProblemError(413, "too many texts to explain", where="texts", allowed="8")
        found = await ask([task], body.texts, explain=True)
        return ExplainedAnswers.model_validate({"task": task, "answers": found[task]})

    _add_operations(app, batcher, metrics)
    return gate


def _add_operations(app: FastAPI, batcher: list[Batcher], metrics: Metrics) -> None:
    """What operators and browsers ask for."""

    @app.get("/healthz", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def ready(response: Response) -> dict[str, str]:
        is_ready = bool(batcher) and batcher[0].ready
        response.status_code = 200 if is_ready else 503
        return {"status": "ready" if is_ready else "not ready"}

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="manyheads",
            swagger_js_url="/assets/swagger-ui-bundle.js",
            swagger_css_url="/assets/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    app.mount("/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "page.html")


def _info(predictor: Predictor, name: str) -> TaskInfo:
    task = predictor.tasks[name]
    labels, reach = task.kind.labels, task.kind.value_range
    return TaskInfo(
        name=name,
        texts=len(task.text),
        columns=list(task.text),
        explained=predictor.explains,
        labels=None if labels is None else list(labels),
        range=None if reach is None else list(reach),
    )
