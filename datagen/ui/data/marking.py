"""Marked text as HTML: the only place where the pages make HTML out of data. Everything is escaped first."""

import difflib
import html
import re
from collections.abc import Iterable, Sequence

from datagen.text import units

Span = tuple[int, int]
CONTEXT = 600
LONGEST_BY_WORD = 2_000
_SENTENCE = re.compile(r"[^。！？!?.\n]*[。！？!?.\n]+|[^。！？!?.\n]+")


def mark_spans(text: str, spans: Iterable[Span], *, css: str = "evidence", context: int | None = CONTEXT) -> str:
    """Return the text with ``<mark>`` around the spans (character offsets), the first one with the anchor class ``first``.

    Overlapping spans are joined. With ``context``, only that many characters around the marked ones are returned, gaps shown as …
    """
    joined = _join(spans, len(text))
    if not joined:
        shown = text if context is None else text[: 4 * context]
        return html.escape(shown) + ("…" if len(shown) < len(text) else "")
    windows = [(0, len(text))] if context is None else _join([(s - context, e + context) for s, e in joined], len(text))
    pieces: list[str] = []
    first = True
    for start, end in windows:
        pieces.append("…" if start > 0 else "")
        at = start
        for s, e in joined:
            if start <= s and e <= end:
                pieces.append(html.escape(text[at:s]))
                pieces.append(f'<mark class="{css}{" first" if first else ""}">{html.escape(text[s:e])}</mark>')
                first, at = False, e
        pieces.append(html.escape(text[at:end]))
    return "".join(pieces) + ("…" if windows[-1][1] < len(text) else "")


def mark_segments(segments: Sequence[tuple[str, bool]]) -> str:
    """Return pieces of text joined, the learned ones (second item true) marked."""
    return "".join(f'<mark class="learned">{html.escape(t)}</mark>' if learned else html.escape(t) for t, learned in segments)


def mark_difference(old: str, new: str) -> tuple[str, str]:
    """Return both texts with what only one of them has marked, compared by word (Chinese: by character), longer ones by sentence."""
    # Two long texts that repeat themselves would take minutes word by word.
    a, b = (_tokens(t) if len(old) + len(new) <= LONGEST_BY_WORD else _SENTENCE.findall(t) for t in (old, new))
    left: list[str] = []
    right: list[str] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        gone, come = html.escape("".join(a[i1:i2])), html.escape("".join(b[j1:j2]))
        left.append(gone if tag == "equal" or not gone else f'<mark class="gone">{gone}</mark>')
        right.append(come if tag == "equal" or not come else f'<mark class="come">{come}</mark>')
    return "".join(left), "".join(right)


def _tokens(text: str) -> list[str]:
    """Split a text into the units it is compared by and what stands between them; joined, they are the text again."""
    tokens: list[str] = []
    at = 0
    lowered = text.lower() if len(text.lower()) == len(text) else text
    for unit in units(text):
        found = lowered.find(unit, at)
        if found < 0:
            continue
        if found > at:
            tokens.append(text[at:found])
        tokens.append(text[found : found + len(unit)])
        at = found + len(unit)
    if at < len(text):
        tokens.append(text[at:])
    return tokens


def _join(spans: Iterable[Span], length: int) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted((max(0, s), min(length, e)) for s, e in spans if s < e and s < length):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
