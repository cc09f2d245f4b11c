"""Where the three heavy steps run. All engines give the same result, bit for bit: candidates come from the same bands of the same
signatures, and everything after them depends on the rows alone.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from datagen.dedup.engines.candidates import Integers, Runs, runs_of_bands, runs_of_datasketch
from datagen.dedup.engines.verify import Evidence, join
from datagen.dedup.kernels.column import Texts
from datagen.dedup.kernels.native import ShingleSets, band_keys, shingle_sets, signatures_of
from datagen.dedup.lsh import choose_bands

Engine = Literal["native", "datasketch", "ray"]


class Steps(Protocol):
    """The steps whose cost grows with the text or the candidates."""

    def candidates(self, text: Texts, ngram: int, threshold: float) -> Sequence[Runs]:
        """Return runs of rows that share a band."""
        ...

    def shingle(self, text: Texts, *, ngram: int) -> ShingleSets:
        """Return the shingle sets of candidates."""
        ...

    def join(self, evidence: Evidence, bands: Sequence[Runs], threshold: float) -> Integers:
        """Return, per position, the smallest position of its cluster."""
        ...


class Native:
    """All cores of this machine."""

    def candidates(self, text: Texts, ngram: int, threshold: float) -> Sequence[Runs]:
        return runs_of_bands(band_keys(text, ngram, choose_bands(threshold)))

    def shingle(self, text: Texts, *, ngram: int) -> ShingleSets:
        return shingle_sets(text, ngram)

    def join(self, evidence: Evidence, bands: Sequence[Runs], threshold: float) -> Integers:
        return join(evidence, bands, threshold)


class Datasketch(Native):
    """Candidates from datasketch's MinHashLSH, for comparison: several hundred times slower."""

    def candidates(self, text: Texts, ngram: int, threshold: float) -> Sequence[Runs]:
        return list(runs_of_datasketch(signatures_of(text, ngram), threshold))


def open_engine(name: Engine) -> Steps:
    """Return an engine's steps.

    Raises:
        MissingExtra: ``ray`` is not installed.
    """
    if name == "ray":
        from datagen.dedup.ray_engine import OnRay

        return OnRay.connect()
    return Datasketch() if name == "datasketch" else Native()
