"""N accepted rows are N distinct rows: a new row near one that is there is refused at once, by the index of ``dedup.incremental``."""

from collections.abc import Callable, Sequence

from datagen.dedup.compared import On
from datagen.dedup.incremental import NearIndex
from datagen.schemas.sample import Sample


def refuse_near(
    *, threshold: float = 0.7, ngram: int = 5, on: On = "both", existing: Sequence[Sample] = ()
) -> Callable[[Sample], tuple[str, str] | None]:
    """Return a ``refuse`` callback for the runner that remembers what it lets through; reason ``near_duplicate``.

    Args:
        threshold: Jaccard similarity from which rows are near duplicates, in (0, 1].
        ngram: units a shingle.
        on: what of a row is compared.
        existing: rows that are there already.
    """
    index = NearIndex(threshold=threshold, ngram=ngram, on=on)
    for sample in existing:
        index.add(sample)

    def refuse(sample: Sample) -> tuple[str, str] | None:
        match = index.find(sample)
        if match is not None:
            return "near_duplicate", f"of {match.id[:12]}, similarity {match.similarity:.2f}"
        index.add(sample)
        return None

    return refuse
