"""The live view of a generation run on stderr: accepted of target, yield, requests a second, tokens, cost, time left, reasons."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.generate.funnel import Money
    from datagen.generate.opening import Crew
    from datagen.generate.runner import Progress

REASONS_SHOWN = 5
ENOUGH_REQUESTS = 20
"""Requests after which the cost of the whole run is foretold."""


@contextmanager
def generation_view(crew: "Crew") -> "Generator[Callable[[Progress], None]]":
    """Open the view; what it yields is told the run's progress. Not on a terminal, the last state is printed once."""
    from rich.console import Console
    from rich.live import Live

    begun = time.monotonic()
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=4) as live:

        def tell(state: "Progress") -> None:
            live.update(view(state, seconds=time.monotonic() - begun, money=money_of(crew, state)))

        yield tell
    if not console.is_terminal:
        console.line()


def money_of(crew: "Crew", state: "Progress") -> "Money | None":
    """Return what was paid, and after twenty requests what the whole run will cost at this yield; None for a run that costs nothing."""
    from datagen.generate.funnel import Money

    if not any(client.budget.price.cost(1, 1) for client in crew.clients):
        return None
    paid = crew.paid()
    return Money(paid, paid * state.target / state.accepted if state.requests >= ENOUGH_REQUESTS and state.accepted else None)


def view(state: "Progress", *, seconds: float, money: "Money | None") -> Any:
    """Return the view of one state: a bar, figures, and a line for each of the most frequent reasons, the slowest strategy last."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from datagen.generate.funnel import seconds_left, yield_of

    new = state.accepted - state.existing
    left = seconds_left(state, seconds)
    share = yield_of(new, state.dropped)
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(f"{state.accepted}/{state.target} rows"),
        ProgressBar(total=max(state.target, 1), completed=state.accepted, width=32),
        Text(f"{_clock(seconds)} · about {_clock(left)} left" if left is not None else _clock(seconds)),
    )
    rate = f"{state.requests / seconds:.1f} a second" if seconds > 0 else ""
    figures = [("yield", f"{share:.0%}" if share is not None else "-", "")]
    if state.requests:
        figures.append(("requests", str(state.requests), rate))
        figures.append(("tokens", f"{state.tokens_in} in", f"{state.tokens_out} out"))
    if money is not None and (money.paid or money.forecast):
        figures.append(("paid", f"${money.paid:.4f}", f"of about ${money.forecast:.2f}" if money.forecast is not None else ""))
    figures += [("dropped" if i == 0 else "", reason, str(n)) for i, (reason, n) in enumerate(list(state.dropped.items())[:REASONS_SHOWN])]
    slowest = max(state.pace.items(), key=lambda item: item[1], default=None)
    if slowest is not None and state.requests:
        figures.append(("slowest", slowest[0], f"{slowest[1]:.1f} s a passage"))
    for row in figures:
        table.add_row(*row)
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
