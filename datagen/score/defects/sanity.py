"""Addresses and dates that cannot be: ``http:/hotel``, 2025-02-30, 13 月 5 日."""

import re
from calendar import monthrange
from typing import TYPE_CHECKING

from datagen.score.defects.base import count_verified

if TYPE_CHECKING:
    import polars as pl

_URL = re.compile(r"(?i)\bhttps?:?/{0,3}[^\s<>\"'`）)\]】，。；、]*")
_GOOD_URL = re.compile(
    r"(?i)^https?://(?:[\w\-.~%]+(?::[^@/]*)?@)?(?:localhost|\[[0-9a-f:]+\]|\d{1,3}(?:\.\d{1,3}){3}|(?:[^\W_](?:[\w\-]*)\.)+[^\W\d_]{2,24}\.?)"
    r"(?::\d{1,5})?(?:[/?#]\S*)?$"
)
_BAD_SCHEME = re.compile(r"(?i)\bhttps?(?::/(?!/)|//|:::?//|;//|:\\\\)|\bhttps?://https?:")
_NUMERIC_DATE = re.compile(r"(?<!\d)(?P<y>(?:18|19|20|21)\d{2})\s?[-/年]\s?(?P<m>\d{1,2})\s?[-/月]\s?(?P<d>\d{1,2})(?!\d|\.\d)")
_MONTH_DAY = re.compile(r"(?<![\d年.])(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?[日号]")
_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_ENGLISH_DATE = re.compile(rf"(?i)\b(?P<name>{'|'.join(_MONTHS)})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s?[:%])")
_DATE_LIKE = rf"[0-9]{{4}} ?[-/年] ?[0-9]{{1,2}} ?[-/月]|[0-9]{{1,2}} ?月 ?[0-9]{{1,2}} ?[日号]|(?i:{'|'.join(_MONTHS)}) [0-9]"


def bad_url(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many addresses of an answer cannot be opened by form: broken scheme, no host, a host without a dot. Range [0, inf)."""
    return count_verified(rows["completion"], r"(?i)https?[:;/\\]", bad_urls)


def impossible_date(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many dates of question and answer the calendar does not have: month 13, 30 February. Range [0, inf)."""
    import polars as pl

    text = rows.select(pl.concat_str("prompt", "completion", separator="\n")).to_series()
    return count_verified(text, _DATE_LIKE, bad_dates)


def bad_urls(text: str) -> list[str]:
    """Return addresses that are wrong by form."""
    found = [m.group(0) for m in _BAD_SCHEME.finditer(text)]
    for match in _URL.finditer(text):
        url = match.group(0).rstrip(".,;:!?…*_|")
        if url.lower().startswith(("http://", "https://")) and not _GOOD_URL.match(url) and not any(bad in url for bad in found):
            found.append(url)
    return found


def bad_dates(text: str) -> list[str]:
    """Return dates that do not exist; without a year, 29 February does."""
    dates = [(m.group(0), int(m["y"]), int(m["m"]), int(m["d"])) for m in _NUMERIC_DATE.finditer(text)]
    dates += [(m.group(0), 2000, int(m["m"]), int(m["d"])) for m in _MONTH_DAY.finditer(text)]
    dates += [(m.group(0), 2000, _MONTHS.index(str(m["name"]).lower()) + 1, int(m["d"])) for m in _ENGLISH_DATE.finditer(text)]
    return [written for written, *date in dates if not _exists(*date)]


def _exists(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
