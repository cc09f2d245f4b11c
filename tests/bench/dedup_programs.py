"""One program deduplicates one file of texts: ``python dedup_programs.py PROGRAM FILE``, in a process and a Python of its own.

Every program starts from the same list of strings and makes the same shingles of it, sets of word 5-grams, by the cheapest tokenizer there
is: the texts are lower-case words apart by single spaces, so ``split`` is enough for the others (datagen folds and tokenizes as always).
128 permutations, threshold 0.7. Prints one JSON object: seconds and CPU seconds from the list to the kept rows, after a warm-up on 200 of
the texts; rows kept; peak memory above what the list itself takes.
"""

# pyright: reportMissingImports=false
# The peers live in an environment of their own.

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

THRESHOLD, WORDS, PERMUTATIONS = 0.7, 5, 128


def shingles(text: str) -> list[str]:
    """Return a text's word 5-grams; a shorter text is one shingle."""
    words = text.split(" ")
    return [" ".join(words[i : i + WORDS]) for i in range(max(len(words) - WORDS + 1, 1))]


def open_datagen() -> Callable[[list[str]], int]:
    from datagen import deduplicate

    return lambda texts: len(deduplicate(texts, threshold=THRESHOLD, ngram=WORDS).kept)


def open_rensa() -> Callable[[list[str]], int]:
    """The documented way: each candidate's similarity is estimated, and must reach the threshold."""
    import rensa

    def run(texts: list[str]) -> int:
        index = rensa.RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True)
        return sum(index.add_pairs((str(i), shingles(text)) for i, text in enumerate(texts)))

    return run


def open_rensa_matrix() -> Callable[[list[str]], int]:
    """Its batch interface, on all cores: any shared band of 16 x 8 makes a duplicate."""
    return _rensa_matrix("digest_matrix_from_token_sets")


def open_rensa_rho() -> Callable[[list[str]], int]:
    """The same on sampled tokens, its fastest pipeline."""
    return _rensa_matrix("digest_matrix_from_token_sets_rho")


def _rensa_matrix(method: str) -> Callable[[list[str]], int]:
    import rensa

    digest: Any = getattr(rensa.RMinHash, method)

    def run(texts: list[str]) -> int:
        matrix = digest([shingles(text) for text in texts], PERMUTATIONS, 42)
        flags = rensa.RMinHashLSH(THRESHOLD, PERMUTATIONS, 16).query_duplicate_flags_matrix_one_shot(matrix)
        return len(flags) - sum(flags)

    return run


def open_datasketch() -> Callable[[list[str]], int]:
    from datasketch import MinHash, MinHashLSH

    def run(texts: list[str]) -> int:
        index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
        kept = 0
        sets = ([s.encode() for s in shingles(text)] for text in texts)
        for i, minhash in enumerate(MinHash.generator(sets, num_perm=PERMUTATIONS)):
            if not index.query(minhash):
                index.insert(i, minhash, check_duplication=False)
                kept += 1
        return kept

    return run


def open_text_dedup() -> Callable[[list[str]], int]:
    """Its MinHash and clustering, called without its dataset loading, on one core."""
    from collections import defaultdict

    import numpy as np
    from text_dedup.minhash import embed_func
    from text_dedup.utils import UnionFind, optimal_param, xxh3_32hash

    bands, rows = optimal_param(THRESHOLD, PERMUTATIONS, 0.5, 0.5)
    rng, prime = np.random.RandomState(42), np.uint64((1 << 61) - 1)
    options: dict[str, Any] = {
        "num_perm": PERMUTATIONS,
        "ngram_size": WORDS,
        "min_length": 0,
        "hashranges": [(i * rows, (i + 1) * rows) for i in range(bands)],
        "permutations": (
            rng.randint(1, prime, size=PERMUTATIONS, dtype=np.uint64),
            rng.randint(0, prime, size=PERMUTATIONS, dtype=np.uint64),
        ),
        "hash_func": xxh3_32hash,
        "dtype": np.uint64,
        "max_hash": np.uint32((1 << 32) - 1),
        "modulo_prime": prime,
    }

    def run(texts: list[str]) -> int:
        tables: list[dict[bytes, set[int]]] = [defaultdict(set) for _ in range(bands)]
        for i, text in enumerate(texts):
            for table, key in zip(tables, embed_func(text, i, **options)["__signatures__"], strict=True):
                table[key].add(i)
        clusters = UnionFind()
        for table in tables:
            for members in table.values():
                least = min(members)
                for i in members:
                    clusters.union(i, least)
        return sum(clusters.find(i) == i for i in range(len(texts)))

    return run


def open_semhash() -> Callable[[list[str]], int]:
    """Another kind of program: embeddings, not shingles. Its own model is not to be had offline, so TF-IDF and SVD stand in for it."""
    import numpy as np
    from semhash import SemHash
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer

    class Encoder:
        def __init__(self, texts: list[str]) -> None:
            self.vectorizer = HashingVectorizer(n_features=1 << 16)
            self.reduce = TruncatedSVD(128, random_state=0).fit(self.vectorizer.transform(texts[:20_000]))

        def encode(self, inputs: Any, **_: Any) -> Any:
            return self.reduce.transform(self.vectorizer.transform(list(inputs))).astype(np.float32)

    def run(texts: list[str]) -> int:
        return len(SemHash.from_records(records=texts, model=Encoder(texts)).self_deduplicate(threshold=0.9).selected)

    return run


PROGRAMS = {name.removeprefix("open_"): opened for name, opened in list(globals().items()) if name.startswith("open_")}


def main(program: str, path: Path) -> None:
    """Run one program and print what it took."""
    texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
    started = time.perf_counter()
    run = PROGRAMS[program]()
    run(texts[:200])
    ready = time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    kept = run(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"program": program, "rows": len(texts), "seconds": round(wall, 3), "cpu_s": round(cpu, 3), "kept": kept}
    sys.stdout.write(json.dumps({**result, "start_s": round(ready, 2), "bytes_a_row": round((peak - before) * 1024 / len(texts))}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
