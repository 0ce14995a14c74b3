"""The predictions of the server are those of the predictor."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import httpx
import pytest

import manyheads
from manyheads.inference.server.bodies import Predictions, TaskExplanations, TaskPredictions
from manyheads.model.encoder import Encoder

TEXTS = ["A fine film.", "The soup was bad, but the room was wonderful.", "A fine film."]
PAIRS = [["a dog runs", "a cat sleeps"], ["the soup is cold", "cold soup"]]


def test_one_task(server, trained: manyheads.Run) -> None:
    model = manyheads.load(trained)
    found = httpx.post(f"{server.address}/v1/predict/sentiment", json={"texts": TEXTS}).json()["predictions"]
    for prediction, expected in zip(found, model.predict("sentiment", TEXTS), strict=True):
        assert prediction["prediction"] == expected.prediction
        assert prediction["value"] is None
        assert prediction["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_several_tasks_on_the_same_pairs(server, trained: manyheads.Run) -> None:
    model = manyheads.load(trained)
    body = {"tasks": ["similarity", "paraphrase"], "texts": PAIRS}
    found = httpx.post(f"{server.address}/v1/predict", json=body).json()["predictions"]
    assert list(found) == ["similarity", "paraphrase"]
    values = [each.prediction for each in model.predict("similarity", PAIRS)]
    assert [each["prediction"] for each in found["similarity"]] == pytest.approx(values, abs=1e-4)
    classes = [each.prediction for each in model.predict("paraphrase", PAIRS)]
    assert [each["prediction"] for each in found["paraphrase"]] == classes


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("predict/sentiment", {"texts": TEXTS}),
        ("predict/similarity", {"texts": PAIRS}),
        ("predict", {"tasks": ["similarity", "paraphrase"], "texts": PAIRS}),
        ("explain/paraphrase", {"texts": PAIRS}),
    ],
)
def test_the_deprecated_key_has_the_same_content(server, route: str, body: dict[str, object]) -> None:
    response = httpx.post(f"{server.address}/v1/{route}", json=body)
    assert response.headers["Content-Type"] == "application/json"
    content = response.json()
    assert list(content) == [*(["task"] if "/" in route else []), "predictions", "answers"]
    assert content["answers"] == content["predictions"]
    assert content["predictions"]


def test_the_schema_documents_every_response_and_the_deprecated_key(server) -> None:
    schema = httpx.get(f"{server.address}/openapi.json").json()
    assert "`answers` is a deprecated copy" in schema["info"]["description"]
    models = schema["components"]["schemas"]
    for path, name in (
        ("/v1/predict", "Predictions"),
        ("/v1/predict/{task}", "TaskPredictions"),
        ("/v1/explain/{task}", "TaskExplanations"),
    ):
        response = schema["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert response == {"$ref": f"#/components/schemas/{name}"}
        assert models[name]["properties"]["answers"]["deprecated"] is True
        assert models[name]["properties"]["answers"]["description"].startswith("Deprecated copy of `predictions`.")
        assert "deprecated" not in models[name]["properties"]["predictions"]
    assert all("description" in part for model in models.values() for part in model.get("properties", {}).values())


def test_a_response_is_what_its_schema_says(server) -> None:
    found = httpx.post(f"{server.address}/v1/predict/similarity", json={"texts": PAIRS}).json()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert TaskPredictions.model_validate(found).model_dump() == found
        found = httpx.post(f"{server.address}/v1/explain/similarity", json={"texts": PAIRS}).json()
        assert TaskExplanations.model_validate(found).model_dump() == found
        body = {"tasks": ["similarity", "paraphrase"], "texts": PAIRS}
        found = httpx.post(f"{server.address}/v1/predict", json=body).json()
        assert Predictions.model_validate(found).model_dump() == found


def test_a_sequence_that_several_tasks_read_is_encoded_once(
    trained: manyheads.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = manyheads.load(trained)
    sequences = []
    forward = Encoder.forward

    def counted(self, tokens):
        sequences.append(tokens.layout.sequences)
        return forward(self, tokens)

    monkeypatch.setattr(Encoder, "forward", counted)
    model.decode_several({"sentiment": [("a",), ("b",), ("a",)], "similarity": [("a", "b"), ("b", "c")]})
    assert sequences == [3]


def test_an_explanation_names_the_tokens_that_were_read(server) -> None:
    pair = ["a dog runs", "a cat"]
    (found,) = httpx.post(f"{server.address}/v1/explain/paraphrase", json={"texts": [pair]}).json()["predictions"]
    assert len(found["tokens"]) == 2
    weights = [token["weight"] for text in found["tokens"] for token in text]
    assert max(map(abs, weights)) <= 1
    assert any(weights)
    (found,) = httpx.post(f"{server.address}/v1/explain/similarity", json={"texts": [pair]}).json()["predictions"]
    assert [len(text) for text in found["tokens"]] == [3, 2]


def test_routes_for_operators(server) -> None:
    assert httpx.get(f"{server.address}/healthz").status_code == 200
    httpx.post(f"{server.address}/v1/predict/paraphrase", json={"texts": PAIRS})
    metrics = httpx.get(f"{server.address}/metrics").text
    assert 'manyheads_requests_total{route="/readyz",status="200"}' in metrics
    counts = dict(re.findall(r'^manyheads_(\w+)_total\{task="paraphrase"\} (\S+)$', metrics, flags=re.MULTILINE))
    assert float(counts["predictions"]) >= len(PAIRS)
    assert counts["answers"] == counts["predictions"]
    assert [task["texts"] for task in httpx.get(f"{server.address}/v1/tasks").json()] == [1, 2, 2]
    docs = httpx.get(f"{server.address}/docs").text
    assert "https://" not in docs
    assert httpx.get(f"{server.address}/assets/swagger-ui-bundle.js").status_code == 200


def test_the_log_has_no_texts(serve, tmp_path: Path) -> None:
    secret = "zanzibar"
    sentiment = "v1/predict/sentiment"
    calls = [(sentiment, secret), (sentiment, {"x": secret}), (f"v1/predict/{secret}", secret), (secret, secret)]
    with serve(tmp_path / "log") as server:
        for address, text in calls:
            httpx.post(f"{server.address}/{address}", json={"texts": [text]})
        logged = server.requests(after=1, count=len(calls))  # the fixture sent the first request
        assert [event["status"] for event in logged] == [200, 422, 404, 404]
        assert secret not in server.log.read_text()
