"""A lane: one strategy's endless-looking stream of candidates, opened in plan order and prefetched a few requests ahead.

The order in which samples come out depends on documents, chunks and the strategy only; never on how fast requests return
or how many run at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from datagen.generate.candidate import Candidates
from datagen.generate.plan import ROWS_PER_VISIT, Visit, opening_order
from datagen.generate.strategy import Purpose, Strategy
from datagen.schemas.document import Chunk, Document
from datagen.schemas.sample import Sample


class Lane:
    """One strategy at work. ``weight`` is its share of accepted rows; ``accepted`` counts what it was given credit for."""

    def __init__(
        self,
        strategy: Strategy,
        weight: float,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        *,
        purpose: Purpose,
        max_attempts: int,
        gate: asyncio.Semaphore,
    ) -> None:
        self.strategy = strategy
        self.weight = weight
        self.accepted = 0
        self.exhausted = False
        self._seconds = 0.0
        self._calls = 0
        self._purpose: Purpose = purpose
        self._gate = gate
        order = opening_order(documents, chunks, salt=strategy.name)
        self._jobs = [(visit, attempt) for attempt in range(max_attempts) for visit in order]
        self._per_attempt = len(order)
        self._opened = 0
        self._tasks: deque[asyncio.Task[Candidates]] = deque()
        self._left: dict[str, deque[deque[Sample]]] = {}
        self._turns: deque[str] = deque()
        self._rows: deque[Sample] = deque()

    def prefetch(self, window: int) -> None:
        """Start the next requests in plan order until ``window`` of them are open or returned but not yet used."""
        while len(self._tasks) < window and self._opened + len(self._tasks) < len(self._jobs):
            visit, attempt = self._jobs[self._opened + len(self._tasks)]
            self._tasks.append(asyncio.create_task(self._propose(visit, attempt)))

    async def next_batch(self) -> Candidates | None:
        """Open the next chunk if the plan says so and return its candidates; None if this turn opens nothing.

        After this call ``take`` gives the rows of the turn.
        """
        if self._rows:
            return None
        if self._opened % max(self._per_attempt, 1) == 0 and self._left and self._opened:
            self._revisit()
            return None
        if self._opened == len(self._jobs):
            if self._left:
                self._revisit()
            else:
                self.exhausted = True
            return None
        self.prefetch(1)
        visit, _ = self._jobs[self._opened]
        candidates = await self._tasks[0]
        self._tasks.popleft()
        self._opened += 1
        samples = deque(candidates.samples)
        self._rows.extend(samples.popleft() for _ in range(min(ROWS_PER_VISIT, len(samples))))
        if samples:
            self._left.setdefault(visit.document.path, deque()).append(samples)
        return candidates

    def take(self) -> Sample | None:
        """Return the next row of this turn, None when the turn is over."""
        return self._rows.popleft() if self._rows else None

    async def close(self, *, cancel: bool) -> list[Candidates]:
        """End the lane. Requests under way are finished, since they are paid for, and returned; or cancelled.

        Nothing waits for these requests any more, so one that fails here changes no row and is left out.
        """
        if cancel:
            for task in self._tasks:
                task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        return [outcome for outcome in outcomes if isinstance(outcome, Candidates)]

    @property
    def pace(self) -> float:
        """Mean seconds of a call of the strategy so far."""
        return self._seconds / self._calls if self._calls else 0.0

    @property
    def held_back(self) -> int:
        """Rows of opened batches that no turn has reached."""
        return len(self._rows) + sum(len(batch) for batches in self._left.values() for batch in batches)

    def _revisit(self) -> None:
        """Fill the turn with leftovers: documents in turn, within a document its batches in turn."""
        if not self._turns:
            self._turns.extend(self._left)
        path = self._turns.popleft()
        batches = self._left[path]
        batch = batches.popleft()
        self._rows.extend(batch.popleft() for _ in range(min(ROWS_PER_VISIT, len(batch))))
        if batch:
            batches.append(batch)
        if not batches:
            del self._left[path]

    async def _propose(self, visit: Visit, attempt: int) -> Candidates:
        async with self._gate:
            begun = time.monotonic()
            candidates = await self.strategy.propose(visit.document, visit.chunk, purpose=self._purpose, attempt=attempt)
            self._seconds += time.monotonic() - begun
            self._calls += 1
            return candidates
