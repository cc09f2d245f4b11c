"""Which row of a cluster stays: a rank per row, asked only of rows that are in a cluster; the highest stays, the first among equals."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from datagen.dedup.batch import Prefer
from datagen.dedup.kernels.column import Texts
from datagen.errors import DataError, UsageError, suggest
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample

Keep = Literal["first", "newest", "longest", "best"]
SCORE = "score"
"""The column ``best`` compares unless told otherwise."""


def preference_of_rows(items: Sequence[Any], text: Texts, keep: Keep, by: str | None) -> Prefer | None:
    """Return the rank of strings or dicts; None: the first stays. ``longest`` counts UTF-8 bytes of the compared text.

    Raises:
        UsageError: an unknown ``keep``; ``by`` without a ``keep`` that uses it, or with strings; a column that no row has.
    """
    check_keep(keep, by)
    column = column_of(keep, by)
    if column and any(isinstance(item, str) for item in items):
        raise UsageError(f"keep '{keep}' compares column '{column}', but rows are strings", hint="give dicts or a frame, or keep 'longest'")
    if keep == "longest":
        return text.size
    if keep == "newest" and column is None:
        return lambda i: i
    if column is None:
        return None
    if items and not any(column in item for item in items):
        raise no_such_column(column, list(items[0]))
    return comparable(lambda i: items[i].get(column), column)


def column_of(keep: Keep, by: str | None) -> str | None:
    """Return the column that rows are compared by, if any."""
    return by or (SCORE if keep == "best" else None)


def no_such_column(column: str, known: Sequence[str]) -> UsageError:
    """Return the error for a column that no row has; ``known`` are those of the first row."""
    return UsageError(f"no row has a column '{column}'", hint=f"the first row has {', '.join(known)}; name the column with by (--by)")


def preference_of_samples(samples: Sequence[Sample], keep: Keep, by: str | None) -> Prefer | None:
    """Return the rank of samples: for ``best`` the score ``by``, or the mean of all scores; for ``newest`` the tag ``by``, or the row.

    Raises:
        UsageError: an unknown ``keep``; ``by`` without a ``keep`` that uses it; a score or tag that no sample has.
    """
    check_keep(keep, by)
    if by and samples:
        named = [sample.scores if keep == "best" else sample.tags for sample in samples]
        if not any(by in names for names in named):
            kind = "score" if keep == "best" else "tag"
            raise UsageError(f"no sample has a {kind} '{by}'", hint=suggest(by, set[str]().union(*named)))
    match keep:
        case "first":
            return None
        case "longest":
            return lambda i: len(prompt_text(samples[i].record)) + len(completion_text(samples[i].record))
        case "newest":
            return comparable(lambda i: samples[i].tags.get(by), by) if by else lambda i: i
        case "best":
            if by:
                return comparable(lambda i: samples[i].scores.get(by), by)
            return comparable(lambda i: _mean(samples[i].scores), "scores")


def check_keep(keep: str, by: str | None) -> None:
    """Refuse an unknown ``keep``, and ``by`` where nothing is compared by it.

    Raises:
        UsageError: says which are known.
    """
    if keep not in get_args(Keep):
        raise UsageError(f"unknown keep '{keep}'", hint=suggest(keep, get_args(Keep)))
    if by and keep not in ("newest", "best"):
        raise UsageError(f"'by' has no meaning with keep '{keep}'", hint="use it with keep 'newest' or 'best'")


def comparable(value: Callable[[int], Any], name: str) -> Prefer:
    """Return a rank that puts missing values last and refuses to compare numbers with texts.

    Raises:
        DataError: when asked, for a row whose value is neither a number nor a text, or of another kind than the first one asked for.
    """
    kinds: list[type] = []

    def rank(i: int) -> tuple[bool, Any]:
        found = value(i)
        if found is None:
            return (False, 0)
        kind = float if isinstance(found, int | float) and not isinstance(found, bool) else type(found)
        if kind not in (float, str) or found != found:
            raise DataError(
                f"row {i}: '{name}' is {found!r}, which has no order", hint="numbers, or texts such as 2026-11-24, can be compared"
            )
        kinds.append(kind)
        if kind is not kinds[0]:
            raise DataError(f"row {i}: '{name}' is {found!r}, but other rows have a {kinds[0].__name__} there", hint="make them all alike")
        return (True, found)

    return rank


def _mean(scores: dict[str, float]) -> float | None:
    return sum(scores.values()) / len(scores) if scores else None
