"""A cap on money that is never crossed: what is in flight is reserved at the most it can cost before it is sent.

The most a request can cost: its prompt's UTF-8 bytes (no tokenizer makes more tokens than bytes) plus a few a message, and its
``max_tokens``. What an answer did cost replaces the reservation. An exchange that was sent and never answered may be billed, so its
reservation stays spent. A request that does not fit waits for others to settle; if nothing is in flight, the budget is used up.
Everything in the response store counts, so that a killed and restarted run keeps the same cap.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from datagen.clients.prices import Price
from datagen.clients.types import ChatRequest, ChatResponse, ExchangeFailed
from datagen.errors import ProviderError

TOKENS_PER_MESSAGE = 16
UNBOUNDED_COMPLETION = 32_768
"""Reserved for a request without ``max_tokens``."""


class BudgetExhausted(ProviderError):
    """The next request could cross the cap. Everything paid is stored; rows made so far are kept."""


@dataclass(slots=True)
class Account:
    """Dollars that several models may spend together: the cap, what was spent, and what is reserved for requests in flight."""

    cap: float | None
    spent: float = 0.0
    reserved: float = 0.0
    waiting: "list[asyncio.Future[None]]" = field(default_factory=list["asyncio.Future[None]"])


class Budget:
    """Dollars that may be spent on one model, alone or out of an account it shares with others.

    Args:
        cap: most dollars in all; None has no cap and only counts.
        price: of the model.
        spent: dollars spent before.
        account: shared with other models' budgets; stands in for ``cap`` and ``spent``.
    """

    def __init__(self, cap: float | None, price: Price, *, spent: float = 0.0, account: Account | None = None) -> None:
        self.account = account or Account(cap, spent)
        self.price = price

    @property
    def cap(self) -> float | None:
        return self.account.cap

    @property
    def spent(self) -> float:
        """Dollars spent out of the account, by all who share it."""
        return self.account.spent

    @property
    def reserved(self) -> float:
        """Dollars reserved for what is in flight, by all who share the account."""
        return self.account.reserved

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
        self.account.spent += self.price.cost(response.tokens_in, response.tokens_out)

    def _exhausted(self, cap: float, most: float, what: str) -> BudgetExhausted:
        return BudgetExhausted(
            f"the budget of ${cap:.2f} ends here: ${self.spent:.4f} spent, the next {what} could cost ${most:.4f}",
            hint="everything paid is stored; run again with a larger --budget to go on where this stopped",
        )

    def hold(self, request: ChatRequest) -> "Hold":
        """Reserve the most one exchange can cost, while it is in flight (``async with``).

        Raises:
            BudgetExhausted: it does not fit, and nothing in flight could make room.
        """
        return Hold(self, self.most(request) if self.cap is not None else 0.0)

    async def reserve(self, most: float) -> None:
        """Take room for ``most`` dollars; :meth:`hold` does this and :meth:`free`."""
        cap = self.cap
        if cap is None:
            return
        account = self.account
        while account.spent + account.reserved + most > cap:
            if account.reserved <= 1e-12:
                raise self._exhausted(cap, most, "request")
            place = asyncio.get_running_loop().create_future()
            account.waiting.append(place)
            await place
        account.reserved += most

    def free(self, most: float, spent: float) -> None:
        """Put what was spent in the place of a reservation, and let those try who wait for room."""
        account = self.account
        account.spent += spent
        account.reserved = max(0.0, account.reserved - most)
        for place in account.waiting:
            if not place.done():
                place.set_result(None)
        account.waiting.clear()


class Hold:
    """One reservation: ``most`` dollars until the block ends; then what :meth:`settle` was told, or all of it if it may be billed.

    Written out, as contextlib's generator costs thrice as much and this is entered for every request.
    """

    __slots__ = ("_budget", "_used", "most")

    def __init__(self, budget: Budget, most: float) -> None:
        self._budget = budget
        self.most = most
        self._used = (0, 0)

    def settle(self, response: ChatResponse) -> None:
        """Put what an answer used in the reservation's place."""
        self._used = (response.tokens_in, response.tokens_out)

    async def __aenter__(self) -> "Hold":
        await self._budget.reserve(self.most)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            spent = self._budget.price.cost(*self._used)
        else:
            # Whatever else ended it (cancelled, not stored): it may have been paid.
            billed = error.maybe_billed if isinstance(error, ExchangeFailed) else True
            spent = self.most if billed else 0.0
        self._budget.free(self.most, spent)


def _most_tokens_in(request: ChatRequest) -> int:
    schema = 0 if request.schema is None else len(request.schema_json()) + TOKENS_PER_MESSAGE
    return schema + sum(len(m.content.encode("utf-8", "surrogatepass")) + TOKENS_PER_MESSAGE for m in request.messages)
