"""The server's answers are the predictor's."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import manyheads
from manyheads.model.encoder import Encoder

TEXTS = ["A fine film.", "The soup was bad, but the room was wonderful.", "A fine film."]
PAIRS = [["a dog runs", "a cat sleeps"], ["the soup is cold", "cold soup"]]


def test_one_task(server, trained: manyheads.Run) -> None:
    model = manyheads.load(trained)
    found = httpx.post(f"{server.address}/v1/predict/sentiment", json={"texts": TEXTS}).json()["answers"]
    for answer, expected in zip(found, model.predict("sentiment", TEXTS), strict=True):
        assert answer["prediction"] == expected.prediction
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_several_tasks_on_the_same_pairs(server, trained: manyheads.Run) -> None:
    model = manyheads.load(trained)
    body = {"tasks": ["similarity", "paraphrase"], "texts": PAIRS}
    found = httpx.post(f"{server.address}/v1/predict", json=body).json()["answers"]
    assert list(found) == ["similarity", "paraphrase"]
    values = [answer.prediction for answer in model.predict("similarity", PAIRS)]
    assert [answer["prediction"] for answer in found["similarity"]] == pytest.approx(values, abs=1e-4)
    classes = [answer.prediction for answer in model.predict("paraphrase", PAIRS)]
    assert [answer["prediction"] for answer in found["paraphrase"]] == classes


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
    (answer,) = httpx.post(f"{server.address}/v1/explain/paraphrase", json={"texts": [pair]}).json()["answers"]
    assert len(answer["tokens"]) == 2
    weights = [token["weight"] for text in answer["tokens"] for token in text]
    assert max(map(abs, weights)) <= 1
    assert any(weights)
    (answer,) = httpx.post(f"{server.address}/v1/explain/similarity", json={"texts": [pair]}).json()["answers"]
    assert [len(text) for text in answer["tokens"]] == [3, 2]


def test_what_operators_ask_for(server) -> None:
    assert httpx.get(f"{server.address}/healthz").status_code == 200
    assert 'manyheads_requests_total{route="/readyz",status="200"}' in httpx.get(f"{server.address}/metrics").text
    assert [task["texts"] for task in httpx.get(f"{server.address}/v1/tasks").json()] == [1, 2, 2]
    docs = httpx.get(f"{server.address}/docs").text
    assert "https://" not in docs
    assert httpx.get(f"{server.address}/assets/swagger-ui-bundle.js").status_code == 200


def test_the_log_tells_no_texts(serve, tmp_path: Path) -> None:
    secret = "zanzibar"
    sentiment = "v1/predict/sentiment"
    calls = [(sentiment, secret), (sentiment, {"x": secret}), (f"v1/predict/{secret}", secret), (secret, secret)]
    with serve(tmp_path / "log") as server:
        for address, text in calls:
            httpx.post(f"{server.address}/{address}", json={"texts": [text]})
        told = server.requests(after=1, count=len(calls))  # the first asked whether it is ready
        assert [event["status"] for event in told] == [200, 422, 404, 404]
        assert secret not in server.log.read_text()
