"""Prices: dollars per million tokens by model, from a table that users edit, to price a run before it starts and to keep a budget.

``prices.yaml`` in the workspace (or ``prices/prices.yaml`` of a ``--library``) overrides the built-in table, entry by entry::

    gpt-4.1-mini: {input: 0.40, output: 1.60}
    qwen3-*:      {input: 0.0, output: 0.0}

A name ending in ``*`` is a prefix; the longest that fits counts. Models on loopback and ``local:`` cost nothing unless listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field, ValidationError

from datagen.errors import UsageError
from datagen.jsonl import read_text
from datagen.schemas.record import Frozen

TABLE_NAME = "prices.yaml"
BATCH_SHARE = 0.5
"""What the batch API of OpenAI and of Gemini costs, as a share of the ordinary price (both vendors' price pages)."""


class Price(Frozen):
    """Dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """Return dollars."""
        return (tokens_in * self.input + tokens_out * self.output) / 1e6

    def times(self, share: float) -> "Price":
        """Return the price at a discount."""
        return Price(input=self.input * share, output=self.output * share)


FREE = Price(input=0, output=0)
# List prices as last known to the authors (mid 2025). They change: the dry run shows the price it used, prices.yaml corrects it.
BUILT_IN: Mapping[str, Price] = {
    "gpt-4.1": Price(input=2.00, output=8.00),
    "gpt-4.1-mini": Price(input=0.40, output=1.60),
    "gpt-4.1-nano": Price(input=0.10, output=0.40),
    "gpt-4o": Price(input=2.50, output=10.00),
    "gpt-4o-mini": Price(input=0.15, output=0.60),
    "gemini-2.5-pro": Price(input=1.25, output=10.00),
    "gemini-2.5-flash": Price(input=0.30, output=2.50),
    "gemini-2.5-flash-lite": Price(input=0.10, output=0.40),
    "gemini-2.0-flash": Price(input=0.10, output=0.40),
    "deepseek-chat": Price(input=0.27, output=1.10),
}


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model name or prefix."""

    prices: Mapping[str, Price]

    def of(self, model: str) -> Price | None:
        """Return a model's price: its own entry, else that of the longest prefix; None if there is none."""
        if model in self.prices:
            return self.prices[model]
        fitting = [name for name in self.prices if name.endswith("*") and model.startswith(name[:-1])]
        return self.prices[max(fitting, key=len)] if fitting else None

    def require(self, model: str, *, free: bool) -> Price:
        """Return a model's price.

        Args:
            model: the model's name.
            free: whether a model that is not listed costs nothing (a server on this machine).

        Raises:
            UsageError: not listed and not free.
        """
        price = self.of(model)
        if price is None and not free:
            raise UsageError(
                f"no price is known for the model '{model}'",
                hint=f"write it into {TABLE_NAME} in the workspace, dollars per million tokens: {model}: {{input: 0.4, output: 1.6}}",
            )
        return price or FREE


def load_prices(workspace: Path) -> PriceTable:
    """Return the built-in table with the workspace's ``prices.yaml`` over it.

    Raises:
        UsageError: the file is not a mapping of names to ``input`` and ``output``.
    """
    path = workspace / TABLE_NAME
    if not path.is_file():
        return PriceTable(BUILT_IN)
    try:
        value: object = yaml.safe_load(read_text(path)) or {}
        if not isinstance(value, dict):
            raise TypeError(f"expected a mapping, got {type(value).__name__}")
        own = {str(name): Price.model_validate(entry) for name, entry in cast("dict[Any, Any]", value).items()}
    except (yaml.YAMLError, ValidationError, TypeError, RecursionError) as error:
        said = f"{path}: not a price table: " + " ".join(str(error).split())[:200]
        raise UsageError(said, hint="one line a model, as gpt-4.1-mini: {input: 0.4, output: 1.6}") from error
    return PriceTable({**BUILT_IN, **own})
