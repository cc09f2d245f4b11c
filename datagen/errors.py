"""Errors a user can act on.

DatagenError
├── UsageError      wrong command line, recipe, option or path      exit code 2
├── DataError       bad content in a file: names file and line      exit code 1
├── ProviderError   an LLM provider refused or failed               exit code 1
├── MissingExtra    an optional dependency is not installed         exit code 2
├── DiskRefused     a file could not be written                     exit code 1
├── ReviewConflict  somebody else decided on the row meanwhile      exit code 1
├── WorkspaceBusy   another process holds the workspace             exit code 1
└── StageFailed     a stage ended without what was asked for        exit code 1

Policy: a message says what happened, where (``file:line``, ``prompt@version``, model), what was expected and
what was found; ``hint`` says what to do. Code raises these at the boundary it guards and always ``raise ... from``;
nobody catches broadly to continue. The command line prints message and hint, never a traceback.
"""

import difflib
from collections.abc import Iterable


class DatagenError(Exception):
    """Base of every error that datagen raises on purpose.

    Attributes:
        message: what went wrong and where.
        hint: what the user can do about it; empty if there is nothing to say.
        exit_code: the process exit code the command line uses.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(DatagenError, ValueError):
    """The request itself is wrong: an unknown key, a missing file, an impossible option."""

    exit_code = 2


class DataError(DatagenError, ValueError):
    """Content of a user's file cannot be used; the message names file and line."""


class ProviderError(DatagenError, RuntimeError):
    """An LLM provider failed. ``retryable`` says whether the same request may succeed later."""

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable
        self.status = status


class MissingExtra(DatagenError, ImportError):
    """A feature needs an optional dependency that is not installed."""

    exit_code = 2

    @classmethod
    def of(cls, feature: str, extra: str) -> "MissingExtra":
        return cls(f"{feature} needs packages that are not installed", hint=f"pip install 'datagen[{extra}]'")


class WorkspaceBusy(DatagenError, RuntimeError):
    """Another process is writing to the same workspace."""


class DiskRefused(DatagenError, RuntimeError):
    """The operating system did not write ``path``; ``errno`` says why (full, read-only, no permission, ...)."""

    def __init__(self, message: str, *, hint: str = "", errno: int | None = None, path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errno = errno
        self.path = path


class ReviewConflict(DatagenError, RuntimeError):
    """Two people decided on the same row; the second decision was not stored."""


class StageFailed(DatagenError, RuntimeError):
    """A pipeline stage could not deliver; everything it did so far is kept on disk."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'x'? known: a, b, c"`` for an unknown ``name``."""
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1)
    start = f"did you mean '{near[0]}'? " if near else ""
    return f"{start}known: {', '.join(options)}"


def _rebuild(cls: type[DatagenError], message: str, state: dict[str, object]) -> DatagenError:
    error = cls(message)
    error.__dict__.update(state)
    return error
