"""Model specs: ``openai:MODEL``, ``gemini:MODEL``, ``gemini-legacy:MODEL``, ``local:PATH``, and ``replay:`` in front of one.

``openai:qwen3-4b@http://127.0.0.1:8000/v1`` is model ``qwen3-4b`` behind any server that speaks OpenAI's chat API; ``gemini:`` takes a
base URL likewise. ``local:`` runs a transformers model on this machine: a folder, or a name of ``datagen models``. A model name may hold
``@`` and ``/``; the base URL begins at the last ``@http``. API keys have no place in a spec.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from datagen.errors import UsageError, suggest
from datagen.hashing import fingerprint, sha256_hex

OPENAI_URL = "https://api.openai.com/v1"
GEMINI_URL = "https://generativelanguage.googleapis.com"
PROVIDERS = ("openai", "gemini", "gemini-legacy", "local")
_EXAMPLES = {"openai": "gpt-4.1-mini", "gemini": "gemini-2.5-flash", "gemini-legacy": "gemini-2.5-flash"}
_URL = re.compile(r"@(?=https?://)")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model, where: ``base_url`` is a server's, or for ``local:`` the hash of the model's folder. ``replay``: from the store only."""

    provider: str
    model: str
    base_url: str
    replay: bool = False

    @property
    def loopback(self) -> bool:
        """Whether the model runs on this machine, so that no API key is needed and nothing is paid."""
        return self.provider == "local" or urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")


def parse_spec(spec: str, environ: Mapping[str, str] | None = None) -> ModelSpec:
    """Read a model spec. Without a base URL, ``OPENAI_BASE_URL`` counts for ``openai:``, then the vendor's own.

    Raises:
        UsageError: unknown provider (with the nearest known one), no model, a base URL that is not plain http(s), or one that
            carries a user name, password or query.
    """
    env = os.environ if environ is None else environ
    provider, separator, rest = spec.partition(":")
    if provider == "replay" and separator:
        inner = parse_spec(rest, env)
        return ModelSpec(inner.provider, inner.model, inner.base_url, replay=True)
    if provider not in PROVIDERS or not separator:
        raise UsageError(
            f"model '{spec}': '{provider}' is not a provider",
            hint=f"{suggest(provider, (*PROVIDERS, 'replay'))}; a spec looks like openai:MODEL@BASE_URL",
        )
    if provider == "local":
        if not rest.strip():
            raise UsageError(f"model '{spec}': no model after 'local:'", hint="a folder, or a name of `datagen models`")
        return ModelSpec(provider, rest, _folder_hash(Path(rest).expanduser()))
    *name, url = _URL.split(rest) if _URL.search(rest) else (rest, "")
    model = "@".join(name)
    if not model.strip() or model != model.strip():
        raise UsageError(f"model '{spec}': no model name after '{provider}:'", hint=f"for example: {provider}:{_EXAMPLES[provider]}")
    default = (env.get("OPENAI_BASE_URL") or OPENAI_URL) if provider == "openai" else GEMINI_URL
    return ModelSpec(provider, model, _check_url(url or default))


def _folder_hash(folder: Path) -> str:
    """Tell models in one folder apart over time: names and sizes of its files, the small ones' content, the large ones' first MiB.

    A model named, not given as a folder, is pinned by its name; ''.
    """
    if not (folder / "config.json").is_file():
        return ""
    parts: list[object] = []
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        with path.open("rb") as file:
            parts.append([path.name, path.stat().st_size, sha256_hex(file.read(1 << 20))])
    return f"sha256:{fingerprint(parts)}"


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
