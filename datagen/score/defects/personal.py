"""Personal data: e-mail addresses, phone numbers, identity numbers and bank cards, Chinese and international.

A checksum decides wherever one exists (resident identity number: GB 11643-1999; cards: Luhn, ISO/IEC 7812-1), so that order numbers and
prices are left alone. Addresses of a role (``support@``), of the reserved example domains (RFC 2606) and service hotlines (400, 800, 95)
are no person's. What the documents themselves state is removed later, where documents are known.
"""

import re
from typing import TYPE_CHECKING

from datagen.score.defects.base import count_verified

if TYPE_CHECKING:
    import polars as pl

_EMAIL = r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24}"
_ROLE = re.compile(
    r"(?i)^(?:support|service|services|info|help|helpdesk|contact|admin|sales|noreply|no-reply|hello|office|feedback|press|hr|jobs"
    r"|customer\w*|kefu|privacy|security|legal|billing|booking\w*|reservation\w*|partner\w*|group\w*|business|your\w*|user\w*|name|email|example)"
    r"[\w.+\-]*@|@(?:[\w\-]+\.)*example\.(?:com|org|net)$|\.(?:example|test|invalid)$"
)
_PHONE = (
    r"(?:\+?86[\s\-]?)?1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}"
    r"|0\d{2,3}[\s\-]\d{7,8}"
    r"|\+(?:[1-79]\d{0,2})[\s\-.]?\(?\d{1,4}\)?(?:[\s\-.]?\d{2,4}){2,4}"
    r"|\(\d{3}\)\s?\d{3}[\-.\s]\d{4}|\b\d{3}[\-.]\d{3}[\-.]\d{4}"
)
_PHONE_LIKE = r"1[3-9][0-9][ \-]?[0-9]{4}|[0-9)][ \-.][0-9]{3,8}|\+[0-9]{1,3}[ \-.]?\(?[0-9]"
_ID = r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]|\d{3}-\d{2}-\d{4}"
_CARD = r"[3-6]\d{3}(?:[\s\-]?\d{4}){2}(?:[\s\-]?\d{1,4}){1,2}"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_LUHN_LENGTHS = range(14, 20)


def pii_email(rows: "pl.DataFrame") -> "pl.Series":
    """Return the number of personal e-mail addresses in question and answer. Range [0, inf); cost: one regex pass."""
    return count_verified(_text(rows), _EMAIL, find_emails)


def pii_phone(rows: "pl.DataFrame") -> "pl.Series":
    """Return the number of phone numbers (Chinese mobile and landline, international, North American). Range [0, inf)."""
    return count_verified(_text(rows), _PHONE_LIKE, find_phones)


def pii_id_number(rows: "pl.DataFrame") -> "pl.Series":
    """Return the number of identity numbers: Chinese resident numbers with a right check digit, US social security numbers."""
    return count_verified(_text(rows), r"[0-9]{17}|[0-9]{3}-[0-9]{2}-[0-9]{4}", find_ids)


def pii_bank_card(rows: "pl.DataFrame") -> "pl.Series":
    """Return the number of bank card numbers: 14 to 19 digits of a card issuer's range with a right Luhn digit."""
    return count_verified(_text(rows), r"[3-6][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4}", find_cards)


def find_emails(text: str) -> list[str]:
    """Return personal e-mail addresses in text order."""
    return [address for address in re.findall(_EMAIL, text) if not _ROLE.search(address)]


def find_phones(text: str) -> list[str]:
    """Return phone numbers in text order; digits right before or after make it another number."""
    return _alone(_PHONE, text)


def find_ids(text: str) -> list[str]:
    """Return identity numbers whose own rules hold."""
    return [number for number in _alone(_ID, text) if (_social_security(number) if "-" in number else _resident(number))]


def find_cards(text: str) -> list[str]:
    """Return card numbers whose Luhn digit is right and that are no identity number."""
    found: list[str] = []
    for number in _alone(_CARD, text):
        digits = re.sub(r"\D", "", number)
        if len(digits) in _LUHN_LENGTHS and _luhn(digits) and len(set(digits)) > 1 and not (len(digits) == 18 and _resident(digits)):
            found.append(number)
    return found


def _text(rows: "pl.DataFrame") -> "pl.Series":
    import polars as pl

    return rows.select(pl.concat_str("prompt", "completion", separator="\n")).to_series()


def _alone(pattern: str, text: str) -> list[str]:
    return [m.group(0) for m in re.finditer(rf"(?<![\d.])(?:{pattern})(?![\d])", text)]


def _resident(number: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _social_security(number: str) -> bool:
    area, group, serial = number.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
