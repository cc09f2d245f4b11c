"""The funnel of a generation run in words and figures: what went in, what was paid, what was kept, and what took the rest away.

Everything here is a function of the runner's ``Progress`` or ``stats``; times and money come in as arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datagen.errors import StageFailed
from datagen.generate.runner import Progress
from datagen.jsonl import JsonObject
from datagen.schemas.stage import Dropped, StageResult

STEPS = ("answered", "parsed", "checked", "judged", "distinct", "accepted")
"""Steps a row goes through, in order; each reason takes rows away at one of them (see :func:`step_of`)."""
_STEP = {
    "request_failed": "answered",
    **dict.fromkeys(("truncated", "unparseable", "schema_mismatch"), "parsed"),
    **dict.fromkeys(("exact_duplicate", "near_duplicate", "similar_to_pool"), "distinct"),
    **dict.fromkeys(("from_unseen_document", "rejected_in_review"), "accepted"),
}
EXAMPLES = 3
"""Details of dropped rows kept for each reason."""
ENOUGH_ROWS = 20
"""Rows examined before a yield says something."""


@dataclass(frozen=True, slots=True)
class Money:
    """Dollars paid since the run began, and what the whole run will cost at this yield (None: too early to say, or free)."""

    paid: float
    forecast: float | None = None


def step_of(reason: str) -> str:
    """Return the step at which a reason takes rows away: what no table names is a check of the row itself."""
    if reason.startswith("leaks_into_"):
        return "accepted"
    return _STEP.get(reason) or ("judged" if reason.startswith(("judged_", "judge_")) else "checked")


def funnel_of(stats: JsonObject) -> dict[str, int]:
    """Return how many items were left after each step: ``chunks``, ``requests``, ``proposed``, then :data:`STEPS`."""
    left = int(stats["proposed"])
    counts = {"chunks": int(stats["chunks"]), "requests": int(stats["requests"]), "proposed": left}
    for step in STEPS:
        left -= sum(int(n) for reason, n in dict(stats["reasons"]).items() if step_of(reason) == step)
        counts[step] = left
    return counts


def examples_of(dropped: Sequence[Dropped]) -> dict[str, list[str]]:
    """Return the first details of each reason, in the order of the rows."""
    found: dict[str, list[str]] = {}
    for drop in dropped:
        details = found.setdefault(drop.reason, [])
        if len(details) < EXAMPLES and drop.detail not in details:
            details.append(drop.detail)
    return found


def yield_of(accepted: int, dropped: Mapping[str, int]) -> float | None:
    """Return the share of examined rows that was accepted, None before there are any."""
    examined = accepted + sum(dropped.values())
    return accepted / examined if examined else None


def seconds_left(state: Progress, seconds: float) -> float | None:
    """Return the time until the target at the pace of the rows that are new, None before there is one."""
    new = state.accepted - state.existing
    return (state.target - state.accepted) * seconds / new if new > 0 and seconds > 0 else None


def note(state: Progress, *, seconds: float, money: Money | None = None) -> str:
    """Say on one line where a run stands: yield, requests and their rate, tokens, money, most frequent reasons, slowest strategy."""
    share = yield_of(state.accepted - state.existing, state.dropped)
    parts = [f"yield {share:.0%}"] if share is not None else []
    if state.requests:
        rate = f" ({state.requests / seconds:.1f}/s)" if seconds > 0 else ""
        parts += [f"{state.requests} requests{rate}", f"{state.tokens_in + state.tokens_out} tokens"]
    if money is not None:
        parts.append(f"${money.paid:.4f}" + (f" of about ${money.forecast:.2f}" if money.forecast is not None else ""))
    parts += [", ".join(f"{reason} {n}" for reason, n in list(state.dropped.items())[:3])] if state.dropped else []
    slowest = max(state.pace.items(), key=lambda item: item[1], default=None)
    if slowest is not None and slowest[1] >= 1:
        parts.append(f"slowest: {slowest[0]} {slowest[1]:.1f} s a passage")
    return " · ".join(parts)


def require_yield(result: StageResult, least: float) -> None:
    """Check that enough of what was examined became rows; says nothing about fewer than 20.

    Rows that are kept apart from the exam or that a person rejected were good rows: they are not counted against the strategy.

    Raises:
        StageFailed: the yield is below ``least``.
    """
    apart = sum(n for reason, n in result.reasons().items() if step_of(reason) == "accepted")
    examined = int(result.stats["proposed"]) - apart
    if examined < ENOUGH_ROWS:
        return
    share = int(result.stats["accepted"]) / examined
    if share >= least:
        return
    reasons = ", ".join(f"{reason} {n}" for reason, n in list(result.reasons().items())[:4])
    raise StageFailed(
        f"the yield is {share:.0%}, below the least wanted, {least:.0%}: {result.stats['accepted']} of {examined} rows ({reasons})",
        hint="read the dropped rows for what goes wrong; another model, fewer items a request, or a lower least yield",
    )
