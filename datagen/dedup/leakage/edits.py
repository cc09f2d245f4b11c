"""Tell a question that was edited from another question of the same template.

Edited: words dropped, doubled, moved or misspelt, text put round it. ``"which floor is the gym on"`` and ``"... the spa on"`` are two
questions: each has a word that the other has not and that is no misspelling of its own. In Chinese a wrong character cannot be told from
another word, so a replaced character is an edit only if the answers agree (:mod:`datagen.dedup.leakage.near_rows`).

Source: misspellings by optimal string alignment distance: F. J. Damerau, "A technique for computer detection and correction of spelling
errors", 1964, which found four of five to be one insertion, omission, replacement or transposition.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from datagen.dedup.shingle import numbers

LONG_WORD = 9
"""Words of so many letters may have two misspellings, shorter ones one; of fewer than four, none."""
MANY_DIGITS = 6
_SEPARATORS = re.compile(r"\D")
_DIGITS = re.compile(r"\d+")


def bag_similarity(a: Sequence[str], b: Sequence[str]) -> float:
    """Return Dice's coefficient of two texts' units, repeats counted, in [0, 1]; neither order nor figures matter."""
    own, other = (Counter(unit for unit in text if not unit.isdigit()) for text in (a, b))
    total = own.total() + other.total()
    return 2 * (own & other).total() / total if total else 1.0


def is_edited(a: Sequence[str], b: Sequence[str]) -> bool:
    """Tell whether one text's units are the other's, dropped, doubled, moved or misspelt; figures are not looked at."""
    only_a, only_b = _words(Counter(a) - Counter(b)), _words(Counter(b) - Counter(a))
    for word in list(only_a):
        twin = next((other for other in only_b if is_misspelling(word, other)), None)
        if twin is not None:
            only_a.remove(word)
            only_b.remove(twin)
    return set(only_a) <= set(b) or set(only_b) <= set(a)


def is_misspelling(a: str, b: str) -> bool:
    """Tell whether two words of letters differ as by a slip of the hand."""
    longer, shorter = max(len(a), len(b)), min(len(a), len(b))
    allowed = 0 if shorter < 4 else 1 if longer < LONG_WORD else 2
    return bool(allowed) and longer - shorter <= allowed and _distance(a, b) <= allowed


def same_figures(a: str, b: str) -> bool:
    """Tell whether no figure was replaced; some may have been dropped or doubled, or have lost what stood between them ("20,000")."""
    own, other = ({_SEPARATORS.sub("", number) for number in numbers(text)} for text in (a, b))
    if own <= other or other <= own:
        return True
    digits, others = "".join(_DIGITS.findall(a)), "".join(_DIGITS.findall(b))
    few, many = sorted((digits, others), key=len)
    return few == many or (len(few) >= MANY_DIGITS and _is_subsequence(few, many))


def _words(units: Counter[str]) -> list[str]:
    return sorted(chain.from_iterable([unit] * n for unit, n in units.items() if not unit.isdigit()))


def _is_subsequence(few: str, many: str) -> bool:
    rest = iter(many)
    return all(character in rest for character in few)


def _distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance: insertions, omissions, replacements and swaps of neighbours."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
