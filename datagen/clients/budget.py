"""A cap on money that is never crossed: what is in flight is reserved at the most it can cost before it is sent.

The most a request can cost: its prompt's UTF-8 bytes (no tokenizer makes more tokens than bytes) plus a few a message, and its
``max_tokens``. What an answer did cost replaces the reservation. An exchange that was sent and never answered may be billed, so its
reservation stays spent. A request that does not fit waits for others to settle; if nothing is in flight, the budget is used up.
Everything in the response store counts, so that a killed and restarted run keeps the same cap.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from datagen.clients.prices import Price
from datagen.clients.types import ChatRequest, ChatResponse, ExchangeFailed
from datagen.errors import ProviderError

TOKENS_PER_MESSAGE = 16
UNBOUNDED_COMPLETION = 32_768
"""Reserved for a request without ``max_tokens``."""


class BudgetExhausted(ProviderError):
    """The next request could cross the cap. Everything paid is stored; rows made so far are kept."""


class Budget:
    """Dollars that may be spent.

    Args:
        cap: most dollars in all; None has no cap and only counts.
        price: of the model.
        spent: dollars spent before.
    """

    def __init__(self, cap: float | None, price: Price, *, spent: float = 0.0) -> None:
        self.cap = cap
        self.price = price
        self.spent = spent
        self.reserved = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def most(self, request: ChatRequest) -> float:
        """Return the most dollars a request can cost."""
        return self.price.cost(_most_tokens_in(request), request.parameters.max_tokens or UNBOUNDED_COMPLETION)

    def require(self, requests: Iterable[ChatRequest]) -> None:
        """Check that all of these together cannot cross the cap (a batch is sent whole).

        Raises:
            BudgetExhausted: they could.
        """
        most = sum(map(self.most, requests))
        if self.cap is not None and self.spent + most > self.cap:
            raise self._exhausted(self.cap, most, "batch")

    def spend(self, response: ChatResponse) -> None:
        """Count an answer that no :meth:`hold` covers."""
        self.spent += self.price.cost(response.tokens_in, response.tokens_out)

    def _exhausted(self, cap: float, most: float, what: str) -> BudgetExhausted:
        return BudgetExhausted(
            f"the budget of ${cap:.2f} ends here: ${self.spent:.4f} spent, the next {what} could cost ${most:.4f}",
            hint="everything paid is stored; run again with a larger --budget to go on where this stopped",
        )

    @asynccontextmanager
    async def hold(self, request: ChatRequest) -> AsyncGenerator["Hold"]:
        """Reserve the most one exchange can cost, while it is in flight.

        Raises:
            BudgetExhausted: it does not fit, and nothing in flight could make room.
        """
        if self.cap is None:
            hold = Hold(0.0)
            yield hold
            self.spent += self.price.cost(*hold.used)
            return
        most = self.most(request)
        while self.spent + self.reserved + most > self.cap:
            if self.reserved <= 1e-12:
                raise self._exhausted(self.cap, most, "request")
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await place
        self.reserved += most
        hold = Hold(most)
        try:
            yield hold
        except ExchangeFailed as failure:
            self.spent += most if failure.maybe_billed else 0.0
            raise
        except asyncio.CancelledError:
            self.spent += most
            raise
        else:
            self.spent += self.price.cost(*hold.used)
        finally:
            self.reserved = max(0.0, self.reserved - most)
            for place in self._waiting:
                if not place.done():
                    place.set_result(None)
            self._waiting.clear()


class Hold:
    """One reservation, in dollars; ``used`` becomes the tokens the answer reports."""

    __slots__ = ("most", "used")

    def __init__(self, most: float) -> None:
        self.most = most
        self.used = (0, 0)

    def settle(self, response: ChatResponse) -> None:
        """Put what an answer used in the reservation's place."""
        self.used = (response.tokens_in, response.tokens_out)


def _most_tokens_in(request: ChatRequest) -> int:
    texts = [m.content for m in request.messages]
    if request.schema is not None:
        texts.append(json.dumps(request.schema, ensure_ascii=False))
    return sum(len(t.encode("utf-8", "surrogatepass")) + TOKENS_PER_MESSAGE for t in texts)
