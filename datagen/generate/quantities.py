"""Numbers with their units as they stand in Chinese and English text, in one comparable form.

``quantities("退房时间为中午 12 点，押金三百元")`` gives the time 12:00 and 300 CNY. Used to test that an answer states
no number that its evidence does not state. Conversion between units (24 hours and one day) is not attempted.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_ZH = "零〇一二两三四五六七八九十百千万亿"
_WORDS = {
    **{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11},
    **{"twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "eighteen": 18, "twenty": 20},
    **{"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100},
}
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)

# Canonical unit -> spellings that follow a number, '|' between them.
_UNITS = {
    "day": "天|日|个自然日|自然日|个工作日|工作日|days|day|business days|working days|calendar days",
    "night": "晚|夜|nights|night",
    "hour": "小时|个小时|个钟头|hours|hour|hrs|hr|h",
    "minute": "分钟|minutes|minute|mins|min",
    "second": "秒|秒钟|seconds|second",
    "week": "周|个星期|星期|weeks|week",
    "month": "个月|months|month",
    "year": "年|years|year",
    "age": "岁|周岁|years old|years of age",
    "cny": "元|块|块钱|元人民币|人民币|yuan|rmb|cny",
    "usd": "美元|美金|dollars|dollar|usd",
    "eur": "欧元|euros|euro|eur",
    "percent": "%|percent|个百分点|per cent",
    "discount": "折",
    "square_metre": "平方米|平米|平方|m2|sqm|square metres|square meters",
    "km": "公里|千米|km|kilometres|kilometers|kilometre|kilometer",
    "metre": "米|metres|meters|metre|meter|m",
    "kg": "公斤|千克|kg|kilograms|kilogram",
    "person": "人|个人|位|名|人次|people|persons|person|guests|guest|adults|adult",
    "room": "间|rooms|room",
    "times": "次|times",
    "floor": "层|楼|floors|floor",
    "gb": "gb",
    "mb": "mb",
    "points": "分|积分|points|point",
    "stars": "星|星级|颗星|stars|star",
}
_SPELLING = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings.split("|")}
_UNIT = "|".join(
    re.escape(s) + (r"(?![a-z])" if s[-1].isascii() and s[-1].isalnum() else "") for s in sorted(_SPELLING, key=len, reverse=True)
)
_MONEY = {"¥": "cny", "rmb": "cny", "cny": "cny", "$": "usd", "us$": "usd", "usd": "usd", "€": "eur", "eur": "eur"}
_PERIOD = "凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|晚间|夜间|当日|当天|次日"

_DATE = re.compile(
    rf"(?P<y>\d{{4}})\s*[年./-]\s*(?P<m>\d{{1,2}})\s*[月./-]\s*(?P<d>\d{{1,2}})(?!\d)\s*[日号]?"
    rf"|(?P<m2>\d{{1,2}})\s*月\s*(?P<d2>\d{{1,2}})\s*[日号]"
    rf"|\b(?P<mn>{_MONTH})\.?\s+(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\b(?:\s*,?\s*(?P<y3>\d{{4}}))?"
    rf"|\b(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<mn4>{_MONTH})\b\.?(?:\s*,?\s*(?P<y4>\d{{4}}))?"
)
_TIME = re.compile(
    rf"(?P<p>{_PERIOD})?\s*(?P<h>\d{{1,2}})\s*:\s*(?P<min>\d{{2}})(?!\d)(?:\s*(?P<ap>[ap])\.?m\b\.?)?"
    rf"|(?P<p2>{_PERIOD})?\s*(?P<h2>\d{{1,2}})\s*[点时](?!间)\s*(?:(?P<min2>\d{{1,2}})\s*分(?!钟)|(?P<half>半)|整|钟)?"
    r"|(?P<h3>\d{1,2})\s*(?P<ap3>[ap])\.?m\b\.?"
)
_NUMBER = re.compile(
    rf"(?P<money>us\$|rmb|cny|usd|eur|[¥$€])?\s*(?P<n>\d+(?:\.\d+)?)\s*(?P<scale>[千万亿]|k\b|thousand\b|million\b)?\s*-?(?P<unit>{_UNIT})?"
)
_PERCENT_ZH = re.compile(rf"百分之([{_ZH}]+|\d+(?:\.\d+)?)")
# 两 begins a numeral of its own: 周六两晚 is two nights, not 62.
_NUMERAL_ZH = re.compile(r"(?:两(?=[百千万亿])|[零〇一二三四五六七八九十百千万亿])+|两")
# After a lone 一 only a real measure makes it a number: 一天 is, 一般 and 一个 are not.
_MEASURE_AFTER_ONE = re.compile(r"\s*(?:天|日|晚|小时|个小时|分钟|年|个月|周|星期|元|岁|公里)(?!直|旦|些|期|级|生|然)")
_MEASURE_ZH = re.compile(
    r"\s*(?:天|日|晚|夜|小时|分钟|秒|年|月|周|星期|元|块|岁|折|公里|米|平|公斤|千克|人|位|名|间|次|层|楼|个|点|时|分|星|种|张|份|件|条|台|辆|倍|工作日|自然日|美元|欧元)"
)
_IDIOMS = re.compile(
    r"万一|千万(?!元)|一千零一|三三两两|四面八方|五湖四海|百里挑一|十分(?!钟)|万分"
    r"|(?:周|星期|礼拜)[一二三四五六]|第[一二三四五六七八九十]+|统一|唯一|之一|三亚"
)
_WORD_EN = re.compile(rf"\b({'|'.join(sorted(_WORDS, key=len, reverse=True))})\b(?=[\s-])")
_THOUSANDS = re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in text: ``kind`` is ``number``, ``time`` or ``date``; ``unit`` is '' when none is recognised.

    ``values`` holds every reading: a number or date has one; a clock time without morning or afternoon has two
    (minutes of the day). A date is ``YYYY-MM-DD`` or ``MM-DD``.
    """

    kind: str
    values: frozenset[str]
    unit: str
    text: str


@lru_cache(maxsize=4096)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Return the quantities of a text: dates, then times, then numbers, each in text order.

    List markers at the start of a line (``1.``, ``2)``, ``（3）``) are not quantities, nor are ordinals such as 第三.
    """
    rest = normalise_numerals(text)
    rest = re.sub(r"(?m)^\s*(?:step\s*)?[(\[]?\d{1,2}[.、)\]:](?!\d)\s*", " ", rest)
    found: list[Quantity] = []
    for pattern, read in ((_DATE, _read_date), (_TIME, _read_time), (_NUMBER, _read_number)):
        for match in pattern.finditer(rest):
            quantity = read(match)
            if quantity:
                found.append(quantity)
        rest = pattern.sub(lambda m: " " * len(m.group()), rest) if pattern is not _NUMBER else rest
    return tuple(found)


def states(evidence: str, quantity: Quantity) -> bool:
    """Say whether ``evidence`` states ``quantity``: same value, and the same unit where both name one."""
    return any(_agrees(quantity, other) for other in quantities(evidence))


def normalise_numerals(text: str) -> str:
    """Return the text in NFKC and lower case with Chinese numerals, 百分之N and English number words as digits."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("￥", "¥")
    folded = _THOUSANDS.sub("", folded)
    folded = _PERCENT_ZH.sub(lambda m: f"{_value(m.group(1))}%", folded)
    idioms = [m.span() for m in _IDIOMS.finditer(folded)]

    def digits(match: re.Match[str]) -> str:
        after = folded[match.end() : match.end() + 4]
        inside_idiom = any(start <= match.start() < end for start, end in idioms)
        measured = (_MEASURE_AFTER_ONE if match.group() == "一" else _MEASURE_ZH).match(after)
        plain_scale = match.group()[0] in "万亿千百" and folded[max(match.start() - 1, 0) : match.start()].isdigit()
        return match.group() if inside_idiom or not measured or plain_scale else str(_value(match.group()))

    folded = _NUMERAL_ZH.sub(digits, folded)
    return _WORD_EN.sub(lambda m: str(_WORDS[m.group(1)]), folded)


def _value(numeral: str) -> Decimal | int:
    if numeral[0].isdigit():
        return Decimal(numeral)
    if not any(c in _SCALES for c in numeral):
        return int("".join(str(_DIGITS[c]) for c in numeral))
    total = section = digit = 0
    for c in numeral:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif _SCALES[c] < 10**4:
            section += (digit or 1) * _SCALES[c]
            digit = 0
        else:
            total = (total + section + digit or 1) * _SCALES[c]
            section = digit = 0
    return total + section + digit


def _read_date(match: re.Match[str]) -> Quantity | None:
    g = match.groupdict()
    name = g["mn"] or g["mn4"]
    month = int(g["m"] or g["m2"] or 0) or next(i for i, m in enumerate(_MONTHS, 1) if m.startswith(name[:3]))
    day = int(g["d"] or g["d2"] or g["d3"] or g["d4"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    year = g["y"] or g["y3"] or g["y4"]
    value = f"{month:02}-{day:02}"
    return Quantity("date", frozenset([f"{year}-{value}" if year else value]), "", match.group().strip())


def _read_time(match: re.Match[str]) -> Quantity | None:
    g = match.groupdict()
    hour = int(g["h"] or g["h2"] or g["h3"])
    minute = int(g["min"] or g["min2"] or 0) if not g["half"] else 30
    if hour > 24 or minute > 59:
        return None
    period, meridiem = g["p"] or g["p2"], g["ap"] or g["ap3"]
    if meridiem:
        hours = {hour % 12 + (12 if meridiem == "p" else 0)}
    elif period in ("下午", "傍晚", "晚上", "晚间", "夜间") and hour < 12:
        hours = {hour + 12}
    elif period in ("凌晨", "清晨", "早上", "早晨", "上午", "中午") or g["h"] or hour >= 12 or hour == 0:
        hours = {hour}
    else:
        hours = {hour, hour + 12}
    values = frozenset(str((h % 24) * 60 + minute) for h in hours)
    return Quantity("time", values, "", match.group().strip())


def _read_number(match: re.Match[str]) -> Quantity:
    g = match.groupdict()
    scale = {"千": 10**3, "k": 10**3, "thousand": 10**3, "万": 10**4, "million": 10**6, "亿": 10**8}.get(g["scale"] or "", 1)
    value = (Decimal(g["n"]) * scale).normalize()
    unit = _SPELLING.get(g["unit"] or "", "") or _MONEY.get(g["money"] or "", "")
    return Quantity("number", frozenset([f"{value:f}"]), unit, match.group().strip())


def _agrees(claim: Quantity, stated: Quantity) -> bool:
    if claim.kind == "date" and stated.kind == "date":
        (a,), (b,) = claim.values, stated.values
        return a == b or b.endswith(f"-{a}")
    if claim.kind == "date" or stated.kind == "date":
        return False
    if not claim.values & stated.values:
        return False
    return claim.kind == stated.kind and (not claim.unit or not stated.unit or claim.unit == stated.unit)
