"""How many training sequences LLaMA-Factory packs rows into.

Stage sft with ``packing`` or ``neat_packing``: every 1,000 rows of the file are packed for themselves, the longest row that still fits
first; a row is cut to one token less than ``cutoff_len``, and every sequence is filled up to ``cutoff_len``.

Source: LLaMA-Factory 0.9.5: data/processor/supervised.py PackedSupervisedDatasetProcessor, hparams/data_args.py
"""

from bisect import bisect, insort
from collections.abc import Iterable, Sequence

from datagen.export.llamafactory.rules.stages import BATCH


def pack(lengths: Iterable[tuple[int, int]], capacity: int) -> list[list[int]]:
    """Return the lengths in each packed sequence.

    Args:
        lengths: number of the row in the file, and its tokens after the cut.
        capacity: ``cutoff_len`` less one.
    """
    batches: dict[int, list[int]] = {}
    for row, length in lengths:
        if length <= capacity:
            insort(batches.setdefault(row // BATCH, []), length)
    return [sequence for waiting in batches.values() for sequence in _pack(waiting, capacity)]


def filled(sequences: Sequence[Sequence[int]], capacity: int) -> float:
    """Return the share of the packed sequences that is not padding."""
    return sum(map(sum, sequences)) / (len(sequences) * (capacity + 1)) if sequences else 0.0


def _pack(waiting: list[int], capacity: int) -> list[list[int]]:
    sequences: list[list[int]] = []
    while waiting:
        left, sequence = capacity, list[int]()
        while at := bisect(waiting, left):
            sequence.append(waiting.pop(at - 1))
            left -= sequence[-1]
        sequences.append(sequence)
    return sequences
