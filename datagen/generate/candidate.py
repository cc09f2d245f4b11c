"""What one call of a generation strategy brings back: samples to consider, samples already found bad, and its price."""

from collections.abc import Sequence
from dataclasses import dataclass

from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped


@dataclass(frozen=True, slots=True)
class Candidates:
    """Outcome of one ``Strategy.propose`` call, in a deterministic order.

    Attributes:
        samples: grounded samples; the runner accepts or refuses each.
        dropped: samples the strategy itself found bad (unparsable, ungrounded), each with its reason.
        requests: LLM requests behind this outcome, replayed ones included; 0 for offline strategies.
        tokens_in: prompt tokens of those requests.
        tokens_out: completion tokens of those requests.
    """

    samples: list[Sample]
    dropped: list[Dropped]
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


def together(parts: Sequence[Candidates]) -> Candidates:
    """Return the outcome of several calls as one, in their order."""
    return Candidates(
        [sample for part in parts for sample in part.samples],
        [dropped for part in parts for dropped in part.dropped],
        requests=sum(part.requests for part in parts),
        tokens_in=sum(part.tokens_in for part in parts),
        tokens_out=sum(part.tokens_out for part in parts),
    )
