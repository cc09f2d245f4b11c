"""What deduplication finds of planted near duplicates, beside other programs: ``python tests/bench/dedup_quality.py [--seeds 11,12,13]``.

Bases are independent texts, in English-like words and in Chinese characters; of each base one copy is planted: words edited, sentences
reordered, the end cut off, or a template filled in anew. Whether a copy is a duplicate is decided here by exact Jaccard similarity of sets
of 5-grams, in plain Python; so precision and recall have one truth, and each program gets the same shingles and the same threshold.

One JSON line per language and kind: pairs at or above the threshold, the recall that the S-curve of datagen's bands predicts for these
pairs, datagen's recall with its 95 % interval (Clopper-Pearson), the pairs it missed, and each peer's recall. ``p_as_many_missed``: were
each pair found with its own S-curve's probability, how likely as many misses or more would be (exactly: Poisson-binomial). Eight lines are
eight looks: a shortfall is claimed, and the exit code is 1, where one of them is below 0.01 / 8. Then datagen's precision over all pairs it
joined, and the variance of signature estimates over the binomial one.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).parent))
from dedup_data import chinese_like, english_like

from datagen.dedup import deduplicate
from datagen.dedup.lsh import choose_bands
from datagen.dedup.minhash import PERMUTATIONS, estimate, signature
from datagen.text import units

THRESHOLD, NGRAM, PAIRS = 0.7, 5, 1500
PEERS = ("rensa", "rensa_lsh", "datasketch")
ALPHA = 0.01


class Planted(NamedTuple):
    """A base and its copy, and their exact similarity."""

    base: str
    copy: str
    similarity: float


def shingles(text: str) -> set[str]:
    """Return the set of 5-grams as strings, with no code of datagen's but the split into units."""
    found = units(text)
    return {"\x1f".join(found[i : i + NGRAM]) for i in range(max(len(found) - NGRAM + 1, 1))}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def edit(sentences: list[str], rng: random.Random) -> list[str]:
    """Replace one unit in twenty to one in a hundred by another one."""
    joiner = "" if units(sentences[0])[0] >= "\u3400" else " "
    own = [units(s) for s in sentences]
    everything = [u for s in own for u in s]
    for _ in range(max(round(len(everything) * rng.choice((0.01, 0.02, 0.03, 0.05))), 1)):
        s = rng.choice(own)
        s[rng.randrange(len(s))] = rng.choice(everything)
    return [joiner.join(s) for s in own]


def reorder(sentences: list[str], rng: random.Random) -> list[str]:
    """Shuffle the sentences."""
    return rng.sample(sentences, len(sentences))


def truncate(sentences: list[str], rng: random.Random) -> list[str]:
    """Cut off the last sentences, up to a third of them."""
    return sentences[: len(sentences) - rng.randint(1, max(len(sentences) // 3, 1))]


def fill_again(sentences: list[str], rng: random.Random) -> list[str]:
    """Fill a template anew: the numbers, names and one sentence are others."""
    changed = list(sentences)
    at = rng.randrange(len(changed))
    changed[at] = rng.choice(sentences)
    return [s.replace(units(s)[0], str(rng.randrange(100, 999)), 1) for s in changed]


KINDS: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "edits": edit,
    "reordered": reorder,
    "truncated": truncate,
    "templates": fill_again,
}


def plant(language: str, kind: str, seed: int) -> list[Planted]:
    """Return pairs of a kind, all similarities among them."""
    rng = random.Random(f"{language}:{kind}:{seed}")
    make, mark = (english_like, ". ") if language == "en" else (chinese_like, "。")
    texts = make(PAIRS * 2, words=100, seed=seed, copies=False).texts
    pairs: list[Planted] = []
    for text in texts:
        found = units(text)
        cuts = sorted(rng.sample(range(5, len(found) - 1), 7)) if len(found) > 40 else []
        if not cuts:
            continue
        joiner = " " if language == "en" else ""
        sentences = [joiner.join(found[a:b]) for a, b in zip([0, *cuts], [*cuts, len(found)], strict=True)]
        base, copy = mark.join(sentences), mark.join(KINDS[kind](sentences, rng))
        pairs.append(Planted(base, copy, jaccard(shingles(base), shingles(copy))))
    return pairs[:PAIRS]


def found_by_datagen(pairs: list[Planted]) -> tuple[list[bool], int, int]:
    """Return which pairs were joined, and of all joined pairs how many there are and how many are truly similar."""
    texts = [text for pair in pairs for text in (pair.base, pair.copy)]
    result = deduplicate(texts, threshold=THRESHOLD, ngram=NGRAM)
    cluster = {i: number for number, members in enumerate(result.clusters) for i in members}
    joined = [2 * i in cluster and cluster[2 * i] == cluster.get(2 * i + 1) for i in range(len(pairs))]
    claimed = list(result.duplicates.values())
    true = sum(jaccard(shingles(texts[d.row]), shingles(texts[d.similar_row])) >= THRESHOLD for d in claimed)
    return joined, len(claimed), true


def found_by_peer(peer: str, pairs: list[Planted]) -> list[bool]:
    """Ask a peer, in its own Python, which copies it takes for duplicates of their bases."""
    sets = {"base": [sorted(shingles(p.base)) for p in pairs], "copy": [sorted(shingles(p.copy)) for p in pairs]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sets.json"
        path.write_text(json.dumps(sets), encoding="utf-8")
        python = os.environ.get("DATAGEN_PEERS_PYTHON", sys.executable)
        script = Path(__file__).with_name("dedup_peer_recall.py")
        done = subprocess.run([python, str(script), peer, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr[-500:])
        return []
    found: list[bool] = json.loads(done.stdout)
    return found


def variance_ratio(trials: int = 1200) -> float:
    """Return the mean ratio of the estimates' variance to J (1 - J) / 128, over sets of 10 to 1,000 shingles and J of 0.3 to 0.9."""
    rng = np.random.Generator(np.random.PCG64(5))
    ratios: list[float] = []
    for size in (10, 30, 100, 1000):
        for share in (0.3, 0.5, 0.7, 0.9):
            common = round(share * size)
            half = (size - common) // 2
            estimates: list[float] = []
            for _ in range(trials if size < 1000 else trials // 4):
                values = np.unique(rng.integers(0, 2**64, size, dtype=np.uint64, endpoint=False))
                both, left, right = values[:common], values[common : common + half], values[common + half :]
                estimates.append(estimate(signature(np.concatenate([both, left])), signature(np.concatenate([both, right]))))
            true = common / size
            ratios.append(float(np.var(estimates)) / (true * (1 - true) / PERMUTATIONS))
    return round(float(np.mean(ratios)), 3)


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the Clopper-Pearson 95 % interval of a share."""
    found = binomtest(hits, trials).proportion_ci(method="exact")
    return float(found.low), float(found.high)


def chance_of_misses(probabilities: list[float], missed: int) -> float:
    """Return how likely ``missed`` misses or more are if each pair is found with its own probability, independently (Poisson-binomial)."""
    fewer = np.zeros(missed + 1)
    fewer[0] = 1.0
    for found in probabilities:
        shifted = np.append(0.0, fewer[:-1])
        fewer = fewer * found + shifted * (1 - found)
    return float(1 - fewer[:missed].sum())


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="11,12,13")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    bands = choose_bands(THRESHOLD)
    claimed = true = 0
    shortfall = False
    for language in ("en", "zh"):
        for kind in KINDS:
            pairs: list[Planted] = []
            joined: list[bool] = []
            for seed in map(int, options.seeds.split(",")):
                more = plant(language, kind, seed)
                found_here, more_claimed, right = found_by_datagen(more)
                pairs, joined, claimed, true = [*pairs, *more], [*joined, *found_here], claimed + more_claimed, true + right
            similar = [i for i, p in enumerate(pairs) if p.similarity >= THRESHOLD]
            false = sum(joined[i] for i, p in enumerate(pairs) if p.similarity < THRESHOLD)
            if not similar:
                continue
            expected = [bands.probability(pairs[i].similarity) for i in similar]
            hits = sum(joined[i] for i in similar)
            chance = chance_of_misses(expected, len(similar) - hits)
            shortfall |= chance < ALPHA / (2 * len(KINDS))
            low, high = interval(hits, len(similar))
            line: dict[str, Any] = {"language": language, "kind": kind, "pairs": len(pairs), "similar": len(similar), "joined_below": false}
            line |= {"predicted": round(float(np.mean(expected)), 4), "datagen": round(hits / len(similar), 4)}
            line |= {"interval": [round(low, 4), round(high, 4)], "missed": len(similar) - hits}
            line |= {"missed_predicted": round(len(similar) - sum(expected), 2), "p_as_many_missed": round(chance, 4)}
            for peer in PEERS if options.peers else ():
                found = found_by_peer(peer, pairs)
                if found:
                    line[peer] = round(float(np.mean([found[i] for i in similar])), 4)
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps({"joined": claimed, "truly_similar": true, "precision": true / claimed}) + "\n")
    sys.stdout.write(json.dumps({"variance_over_binomial": variance_ratio()}) + "\n")
    return int(shortfall or true < claimed)


if __name__ == "__main__":
    sys.exit(main())
