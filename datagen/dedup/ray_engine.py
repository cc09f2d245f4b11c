"""The heavy steps on a Ray cluster, as Ray Data pipelines: signatures, band join, connected components.

    text blocks --sign--> (band, start, keys) --group by band--> runs of rows --union per band--> forests --merge--> clusters

Blocks of text and band keys are sharded; a lost node's tasks are run again from their blocks by Ray's lineage. The driver holds the rows
themselves, the runs, and the shingle sets of candidates. Each band's pairs are verified on one worker and give a forest; the components of
all forests together are the clusters, whatever the order, so the result is the native engine's bit for bit.

Connects to the cluster named by ``RAY_ADDRESS``, or to the one that this process has joined already, else starts Ray on this machine.
Workers need this package installed.

What 10^9 rows would take is in ``docs/en/scale.md``: the driver's memory ends first, then keys of 32 bits: beyond some 10^8 rows nearly
every row shares one by chance. This engine has been run on one machine only.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from datagen.dedup.engines.candidates import Integers, Runs, runs_of_keys
from datagen.dedup.engines.verify import Evidence, join
from datagen.dedup.kernels.column import Column, Texts
from datagen.dedup.kernels.native import ShingleSets, band_keys, shingle_sets
from datagen.dedup.lsh import Bands, choose_bands
from datagen.errors import MissingExtra

BLOCK = 1 << 23
"""Bytes of text a task takes."""
Row = dict[str, Any]


class OnRay:
    """Steps on a connected cluster."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    @classmethod
    def connect(cls) -> "OnRay":
        """Join the cluster, or start Ray on this machine.

        Raises:
            MissingExtra: Ray is not installed.
        """
        try:
            import ray  # pyright: ignore[reportMissingImports]
            import ray.data  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtra.of("engine 'ray'", "ray") from error
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        return cls(ray)

    def candidates(self, text: Texts, ngram: int, threshold: float) -> Sequence[Runs]:
        blocks = self._blocks(text)
        bands = choose_bands(threshold)
        signed = blocks.flat_map(partial(_sign, ngram=ngram, bands=bands))
        grouped = signed.groupby("band", num_partitions=bands.bands).map_groups(_runs, batch_format="pandas")
        found = {int(row["band"]): Runs(_integers(row["rows"]), _integers(row["starts"])) for row in grouped.take_all()}
        return [found[band] for band in sorted(found)]

    def shingle(self, text: Texts, *, ngram: int) -> ShingleSets:
        parts = sorted(self._blocks(text).map(partial(_shingle, ngram=ngram)).take_all(), key=lambda row: int(row["start"]))
        sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(_integers(part["sizes"]) for part in parts)])
        values = [np.frombuffer(cast("bytes", part["values"]), dtype=np.uint64) for part in parts]
        return ShingleSets(np.concatenate([np.zeros(0, dtype=np.uint64), *values]), np.cumsum(sizes))

    def join(self, evidence: Evidence, bands: Sequence[Runs], threshold: float) -> Integers:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        n = len(evidence.rows)
        reference = self._ray.put(evidence)
        items = [{"rows": runs.rows.tobytes(), "starts": runs.starts.tobytes()} for runs in bands if len(runs.rows)]
        if not items:
            return np.arange(n, dtype=np.int64)
        forests = self._ray.data.from_items(items, override_num_blocks=len(items)).map(
            partial(_unite, evidence=reference, threshold=threshold)
        )
        edges = [(_integers(row["child"]), _integers(row["root"])) for row in forests.take_all()]
        child, root = np.concatenate([c for c, _ in edges]), np.concatenate([r for _, r in edges])
        graph = coo_matrix((np.ones(len(child), dtype=np.int8), (child, root)), shape=(n, n))
        _, label = connected_components(graph, directed=False)
        smallest = np.full(int(label.max()) + 1, n, dtype=np.int64)
        np.minimum.at(smallest, label, np.arange(n))
        return smallest[label]

    def _blocks(self, text: Texts) -> Any:
        items = [
            {
                "start": start,
                "data": block.data[block.offsets[0] : block.offsets[-1]].tobytes(),
                "offsets": (block.offsets - block.offsets[0]).tobytes(),
            }
            for start, block in text.blocks(size=BLOCK)
        ]
        return self._ray.data.from_items(items, override_num_blocks=max(len(items), 1))


def _column(row: Row) -> Column:
    return Column(np.frombuffer(row["data"], dtype=np.uint8), _integers(row["offsets"]))


def _integers(data: bytes) -> Integers:
    return np.frombuffer(data, dtype=np.int64)


def _sign(row: Row, *, ngram: int, bands: Bands) -> list[Row]:
    keys = band_keys(_column(row), ngram, bands)
    return [{"band": band, "start": row["start"], "keys": own.tobytes()} for band, own in enumerate(keys)]


def _runs(group: Any) -> Any:
    ordered = group.sort_values("start")
    keys = np.frombuffer(b"".join(ordered["keys"]), dtype=np.uint32)
    runs = runs_of_keys(keys)
    return type(group)({"band": [int(ordered["band"].iloc[0])], "rows": [runs.rows.tobytes()], "starts": [runs.starts.tobytes()]})


def _shingle(row: Row, *, ngram: int) -> Row:
    values, offsets = shingle_sets(_column(row), ngram)
    return {"start": row["start"], "values": values.tobytes(), "sizes": np.diff(offsets).tobytes()}


def _unite(row: Row, *, evidence: Any, threshold: float) -> Row:
    import ray  # pyright: ignore[reportMissingImports]

    runs = Runs(_integers(row["rows"]), _integers(row["starts"]))
    root = join(cast("Evidence", ray.get(evidence)), [runs], threshold)
    child = np.flatnonzero(root != np.arange(len(root)))
    return {"child": child.tobytes(), "root": root[child].tobytes()}
