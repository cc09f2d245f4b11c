"""What one call of a generation strategy brings back: samples to consider, samples already found bad, and its price."""

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
