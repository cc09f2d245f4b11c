"""API keys: from the environment, or from a key file outside every workspace; never stored, never logged.

The key file holds ``NAME=VALUE`` lines, the names of the environment variables, ``#`` for comments. It is the file that
``DATAGEN_KEY_FILE`` names, or ``keys.env`` in the user's configuration folder. It must
be readable by its owner only, and may not lie in the workspace, where it would end in version control or in a published dataset.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from datagen.errors import UsageError
from datagen.jsonl import read_text

KEY_FILE_VARIABLE = "DATAGEN_KEY_FILE"
# Endpoints with a customary variable of their own; for all others the provider's usual one counts.
_BY_HOST = {
    "api.deepseek.com": ("DEEPSEEK_API_KEY",),
    "dashscope.aliyuncs.com": ("DASHSCOPE_API_KEY",),
    "dashscope-intl.aliyuncs.com": ("DASHSCOPE_API_KEY",),
    "openrouter.ai": ("OPENROUTER_API_KEY",),
    "generativelanguage.googleapis.com": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
}
_BY_PROVIDER = {
    "openai": ("OPENAI_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "gemini-legacy": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
}


def default_key_file() -> Path:
    """Return where the key file is looked for when ``DATAGEN_KEY_FILE`` is not set."""
    import platformdirs

    return platformdirs.user_config_path("datagen") / "keys.env"


def find_key(provider: str, base_url: str, *, workspace: Path | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the API key for an endpoint, None if there is none. The environment counts before the key file.

    Raises:
        UsageError: the key file lies in the workspace, others may read it, or a line of it is not ``NAME=VALUE``; or the key holds
            characters no key has. No message shows a key.
    """
    env = os.environ if environ is None else environ
    names = key_variables(provider, base_url)
    named = env.get(KEY_FILE_VARIABLE, "").strip()
    path = Path(named).expanduser() if named else default_key_file()
    for name in names:
        if value := env.get(name, "").strip():
            return _check(value, name)
    if not path.is_file():
        if named:
            raise UsageError(f"{KEY_FILE_VARIABLE} names {path}, which is not a file", hint="write the keys there, or unset the variable")
        return None
    entries = _read_key_file(path, workspace)
    return next((_check(entries[name], f"{name} in {path}") for name in names if entries.get(name)), None)


def key_variables(provider: str, base_url: str) -> tuple[str, ...]:
    """Return the names a key is looked for under, the endpoint's own first."""
    host = urlsplit(base_url).hostname or ""
    return tuple(dict.fromkeys((*_BY_HOST.get(host, ()), *_BY_PROVIDER.get(provider, ()))))


def _read_key_file(path: Path, workspace: Path | None) -> dict[str, str]:
    real = path.resolve()
    if workspace is not None and real.is_relative_to(workspace.resolve()):
        raise UsageError(
            f"the key file {path} lies in the workspace {workspace}, where keys get published by accident",
            hint=f"move it, for example to {default_key_file()}",
        )
    if os.name == "posix" and real.stat().st_mode & 0o077:
        raise UsageError(f"others may read the key file {path}", hint=f"chmod 600 {path}")
    entries: dict[str, str] = {}
    for number, line in enumerate(read_text(real).splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not name.strip().isidentifier():
            raise UsageError(f"{path}:{number}: expected NAME=VALUE", hint="for example OPENAI_API_KEY=..., one a line")
        entries[name.strip()] = value.strip().strip("\"'")
    return entries


def _check(key: str, where: str) -> str:
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(f"{where} holds characters no key has (spaces or non-ASCII)", hint="copy the key again")
    return key
