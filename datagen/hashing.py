"""Content addresses: canonical JSON, sha256, Merkle roots, and stable uniform numbers from strings."""

import hashlib
import json
from collections.abc import Iterable

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: object) -> bytes:
    """Serialise to UTF-8 JSON with sorted keys, no spaces and no NaN, so that equal values give equal bytes.

    Raises:
        ValueError: for NaN or infinite numbers.
        TypeError: for values JSON has no form for.
    """
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def sha256_hex(data: bytes | str) -> str:
    """Return the 64-character lower-case sha256 of bytes, or of a string's UTF-8 bytes."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


def fingerprint(value: object) -> str:
    """Return the sha256 of a JSON value's canonical form."""
    return sha256_hex(canonical_json(value))


def unit_interval(key: str) -> float:
    """Map a string to a number in [0, 1), uniform over strings and the same on every machine."""
    return int(sha256_hex(key)[:13], 16) / 16**13


def merkle_root(leaves: Iterable[str]) -> str:
    """Return the sha256 Merkle root of a set of hex ids; order and repetition of the ids do not matter.

    Source: R. C. Merkle, "A Digital Signature Based on a Conventional Encryption Function", 1987; an odd node is
    carried up unchanged, leaves and inner nodes are domain-separated as in RFC 6962.
    """
    level = [sha256_hex(f"leaf:{leaf}") for leaf in sorted(set(leaves))]
    if not level:
        return sha256_hex("empty")
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [sha256_hex(f"node:{p[0]}{p[1]}") if len(p) == 2 else p[0] for p in pairs]
    return level[0]
