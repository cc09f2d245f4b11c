"""From candidates to clusters: every pair that joins one is verified by exact Jaccard similarity, so there are no false positives.

The same functions serve every engine; what they return depends on the rows and on which rows are candidates of each other, and on nothing
else, so engines with the same candidates agree bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from datagen.dedup.engines.candidates import Integers, Runs
from datagen.dedup.engines.rowtable import Hashes
from datagen.dedup.kernels.column import Texts
from datagen.dedup.kernels.native import ShingleSets, available_cores, parallel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What verification reads of the rows that are candidates: ``rows`` ascending; everything else by position in it."""

    rows: Integers
    sets: ShingleSets
    answers: ShingleSets
    questions: Hashes
    guards: Hashes

    @classmethod
    def of(
        cls,
        rows: Integers,
        text: Texts,
        completion: Texts | None,
        questions: Hashes | None,
        guards: Hashes | None,
        shingle: Callable[[Texts], ShingleSets],
    ) -> "Evidence":
        """Shingle the candidates; the columns hold only them."""
        nothing = np.zeros(len(rows), dtype=np.uint64)
        asked = nothing if questions is None else repeated(questions)
        if completion is None or not asked.any():
            answers = ShingleSets(np.zeros(0, dtype=np.uint64), np.zeros(len(rows) + 1, dtype=np.int64))
        else:
            answers = shingle(completion)
        return cls(rows, shingle(text), answers, asked, nothing if guards is None else guards)

    def positions(self, bands: Iterable[Runs]) -> Iterator[Runs]:
        """Yield the runs over positions; rows that are not in ``rows`` leave their runs, and runs of fewer than two are left out."""
        from datagen.dedup.kernels.join import positions_of

        size = int(self.rows[-1]) + 1 if len(self.rows) else 0
        position = np.full(size, -1, dtype=np.int64)
        position[self.rows] = np.arange(len(self.rows))
        for runs in bands:
            yield Runs(*positions_of(*runs, position))


def join(evidence: Evidence, bands: Iterable[Runs], threshold: float) -> Integers:
    """Return, per position, the smallest position of its cluster, given runs over positions."""
    from datagen.dedup.kernels.join import unite

    parent = np.arange(len(evidence.rows), dtype=np.int64)
    for runs in bands:
        unite(*runs, parent, *evidence.sets, *evidence.answers, evidence.questions, evidence.guards, threshold)
    return roots(parent)


def roots(parent: Integers) -> Integers:
    """Return every element's root of a union-find forest whose roots are their smallest elements."""
    while True:
        above = parent[parent]
        if (above == parent).all():
            return parent
        parent = above


def find_witnesses(evidence: Evidence, members: Integers, starts: Integers, threshold: float) -> tuple[Integers, Floats]:
    """Return, per member of a cluster (positions; ``members[starts[k]:starts[k + 1]]``, the kept row first), the member it is near, as an
    index into ``members``, and how near: the first one that is near it, so the kept row wherever it is. The kept row itself has 0.

    The result depends on the clusters alone, not on how they were found.
    """
    from datagen.dedup.kernels.join import witnesses_of

    witness, similarity = np.zeros(len(members), dtype=np.int64), np.zeros(len(members), dtype=np.float64)
    compared = (*evidence.sets, *evidence.answers, evidence.questions, evidence.guards, threshold)
    # A part of the clusters for each core, with as many members.
    cuts = np.searchsorted(starts, np.linspace(0, len(members), available_cores() + 1))
    parallel([partial(witnesses_of, members, starts[a : b + 1], *compared, witness, similarity) for a, b in pairwise(cuts.tolist())])
    return witness, similarity


def repeated(questions: Hashes) -> Hashes:
    """Return the questions, with 0 for those that occur once: they cannot conflict."""
    _, inverse, counts = np.unique(questions, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] > 1, questions, np.uint64(0))
