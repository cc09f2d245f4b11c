"""Which planted copies a peer finds: ``python dedup_peer_recall.py PEER FILE``, in the peers' Python. See ``dedup_quality.py``."""

# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path

THRESHOLD, PERMUTATIONS = 0.7, 128


def rensa(bases: list[list[str]], copies: list[list[str]]) -> list[bool]:
    """Its deduplicator: LSH candidates whose estimated similarity reaches the threshold."""
    import rensa as module

    index = module.RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True)
    for i, minhash in enumerate(module.RMinHash.from_token_sets(bases, PERMUTATIONS, 42)):
        index.add(str(i), minhash)
    return [str(i) in index.get_duplicates(m) for i, m in enumerate(module.RMinHash.from_token_sets(copies, PERMUTATIONS, 42))]


def rensa_lsh(bases: list[list[str]], copies: list[list[str]]) -> list[bool]:
    """Its LSH index alone, 16 bands of 8: every candidate counts as found."""
    import rensa as module

    index = module.RMinHashLSH(THRESHOLD, PERMUTATIONS, 16)
    for i, minhash in enumerate(module.RMinHash.from_token_sets(bases, PERMUTATIONS, 42)):
        index.insert(i, minhash)
    return [i in index.query(m) for i, m in enumerate(module.RMinHash.from_token_sets(copies, PERMUTATIONS, 42))]


def datasketch(bases: list[list[str]], copies: list[list[str]]) -> list[bool]:
    """MinHashLSH with its default weights: every candidate counts as found."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    for i, minhash in enumerate(MinHash.generator([[s.encode() for s in own] for own in bases], num_perm=PERMUTATIONS)):
        index.insert(i, minhash)
    return [
        i in index.query(m) for i, m in enumerate(MinHash.generator([[s.encode() for s in own] for own in copies], num_perm=PERMUTATIONS))
    ]


if __name__ == "__main__":
    sets = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    found = {"rensa": rensa, "rensa_lsh": rensa_lsh, "datasketch": datasketch}[sys.argv[1]](sets["base"], sets["copy"])
    sys.stdout.write(json.dumps(found))
