"""Model specs: ``openai:MODEL``, ``openai:MODEL@BASE_URL`` and ``replay:`` in front of either.

``openai:qwen3-4b@http://127.0.0.1:8000/v1`` is model ``qwen3-4b`` behind any server that speaks OpenAI's chat API. A model
name may hold ``@`` and ``/``; the base URL begins at the last ``@http``. API keys have no place in a spec.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from datagen.errors import UsageError, suggest

OPENAI_URL = "https://api.openai.com/v1"
PROVIDERS = ("openai", "replay")
_URL = re.compile(r"@(?=https?://)")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model, where. ``replay`` means: answer from the response store only."""

    provider: str
    model: str
    base_url: str
    replay: bool = False

    @property
    def loopback(self) -> bool:
        """Whether the server is this machine, so that no API key is needed."""
        return urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")


def parse_spec(spec: str, environ: Mapping[str, str] | None = None) -> ModelSpec:
    """Read a model spec. Without a base URL, ``OPENAI_BASE_URL`` counts, then OpenAI's own.

    Raises:
        UsageError: unknown provider (with the nearest known one), no model, a base URL that is not plain http(s), or one that
            carries a user name, password or query.
    """
    env = os.environ if environ is None else environ
    provider, separator, rest = spec.partition(":")
    if provider == "replay" and separator:
        inner = parse_spec(rest, env)
        return ModelSpec(inner.provider, inner.model, inner.base_url, replay=True)
    if provider == "gemini":
        raise UsageError(
            f"model '{spec}': the gemini provider is not available yet",
            hint="use Gemini's OpenAI-compatible address: openai:MODEL@https://generativelanguage.googleapis.com/v1beta/openai",
        )
    if provider not in PROVIDERS or not separator:
        raise UsageError(
            f"model '{spec}': '{provider}' is not a provider",
            hint=f"{suggest(provider, PROVIDERS)}; a spec looks like openai:MODEL@BASE_URL",
        )
    *name, url = _URL.split(rest) if _URL.search(rest) else (rest, "")
    model = "@".join(name)
    if not model.strip() or model != model.strip():
        raise UsageError(f"model '{spec}': no model name after '{provider}:'", hint="for example: openai:gpt-4.1-mini")
    return ModelSpec(provider, model, _check_url(url or env.get("OPENAI_BASE_URL") or OPENAI_URL))


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError("the base URL of the model is not a URL", hint="for example: http://127.0.0.1:8000/v1") from error
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"the base URL on {parts.hostname} carries a user name, a password or a query",
            hint="a key belongs into the environment variable OPENAI_API_KEY, nowhere else",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"base URL '{url}' is not an http(s) URL", hint="for example: http://127.0.0.1:8000/v1")
    return url.rstrip("/")
