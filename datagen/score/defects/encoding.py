"""Mojibake: text that was decoded with the wrong encoding somewhere on its way.

Three kinds, each decided by undoing it: UTF-8 read as Latin-1 or Windows-1252 (``ä½ å¥½``, ``donâ€™t``), UTF-8 read as GBK
(``浣犲ソ``), and characters already lost (U+FFFD, ``锟斤拷``, the fill patterns 烫烫 and 屯屯). A run counts only if its bytes decode to
plausible characters, so that names such as Ærø and rare Chinese characters are left alone.
"""

import re
from typing import TYPE_CHECKING

from datagen.score.defects.base import count_verified

if TYPE_CHECKING:
    import polars as pl

_LOST = "\ufffd|锟斤拷|烫烫烫|屯屯屯"


def _as_byte() -> dict[str, int]:
    """Return the byte each character stands for in Windows-1252, whose five holes are read as Latin-1."""
    table = {chr(b): b for b in range(128, 256)}
    for b in range(128, 160):
        decoded = bytes([b]).decode("cp1252", "ignore")
        if decoded:
            table[decoded] = b
    return table


_BYTE = _as_byte()
_SINGLE = "".join(re.escape(c) for c in _BYTE)
_LATIN_RUN = re.compile(f"[{_SINGLE}]{{2,}}")
# A lead byte of a two- or three-byte sequence, then a continuation byte.
_LATIN_PAIR = "[ÂÃÄÅÆÇÈÉÊËâãäåæçèéêëìíîïð][" + "".join(c for c, b in _BYTE.items() if b < 0xC0) + "]"
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_PLAUSIBLE = re.compile("[\u00a0-\u017f\u2010-\u2044\u20ac\u2122\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\U0001f300-\U0001faff]")
# What the first two bytes of a Chinese character in UTF-8 become in GBK.
_GBK_LEADS = "".join(
    c for lead in range(0xE4, 0xEA) for trail in range(0x80, 0xC0) if trail != 0x7F and (c := bytes([lead, trail]).decode("gbk", "ignore"))
)
_GBK_RUN = re.compile(r"[^\x00-\x7f]{3,}")
_CANDIDATE = f"{_LOST}|{_LATIN_PAIR}|[{_GBK_LEADS}][^\\x00-\\x7f]"


def mojibake(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many wrongly decoded characters question and answer hold. Unit: characters; range [0, inf); cost: one regex pass.

    Method: as in ftfy (R. Speer, 2019, doi:10.5281/zenodo.2591652), undo the wrong decoding and see whether it gives text; GBK added.
    """
    import polars as pl

    text = rows.select(pl.concat_str("prompt", "completion", separator="\n")).to_series()
    return count_verified(text, _CANDIDATE, broken_runs)


def broken_runs(text: str) -> list[str]:
    """Return the wrongly decoded stretches of a text, one entry a character that was meant."""
    found = re.findall(_LOST, text)
    for run in _LATIN_RUN.findall(text):
        raw = bytes(_BYTE[c] for c in run)
        found += [s.decode() for s in _SEQUENCE.findall(raw) if _PLAUSIBLE.match(s.decode("utf-8", "replace"))]
    for run in _GBK_RUN.findall(text):
        found += _meant_in_gbk(run)
    return found


def _meant_in_gbk(run: str) -> list[str]:
    raw = run.encode("gb18030", "replace")
    meant = [s.decode("utf-8", "replace") for s in _SEQUENCE.findall(raw)]
    chinese = [c for c in meant if "\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef"]
    # Real Chinese gives a sequence here and there; a wrongly decoded run consists of them.
    return chinese if len(chinese) >= 2 and 3 * len(chinese) >= 0.7 * len(raw) else []


def show_mojibake(text: str) -> str:
    """Return the first wrongly decoded stretch as it stands in the text."""
    lost = re.search(_LOST, text)
    if lost:
        return lost.group(0)
    for pattern in (_LATIN_RUN, _GBK_RUN):
        for run in pattern.findall(text):
            if broken_runs(run):
                return str(run)[:40]
    return ""
