"""One entry of ``dataset_info.json``: writing it in full, and reading it as LLaMA-Factory 0.9.5 does.

Reading follows its two traps: where ``columns`` is given, every column not listed is absent; where ``tags`` is given, every tag
not listed is absent. Unknown keys are ignored. That is why written entries list all columns the rows have and all seven tags.

Source: LLaMA-Factory: src/llamafactory/data/parser.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.detect import Detection, RowFormat

TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
_DEFAULT_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output", "messages": "conversations"}
_COLUMN_OF = {"prompt": "instruction", "query": "input", "response": "output", "messages": "conversations"} | {
    name: name for name in ("history", "system", "tools", "images", "videos", "audios", "chosen", "rejected", "kto_tag")
}
_SHAREGPT = ("sharegpt", "preference", "kto")
_HUBS = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
_KNOWN = {*_HUBS, "file_name", "formatting", "ranking", "subset", "split", "folder", "num_samples", "columns", "tags", "datagen"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What LLaMA-Factory makes of an entry. ``ranking`` stays as written: it is compared by identity with true and false."""

    name: str
    file_name: str
    remote: bool
    formatting: object
    ranking: object
    columns: dict[str, str]
    tags: dict[str, str]
    unknown_keys: tuple[str, ...] = ()

    def column(self, name: str) -> str:
        """Return the file's column for a role, '' if the entry has none."""
        return self.columns.get(name, "")

    def tag(self, name: str) -> str:
        return self.tags.get(name, "")

    @property
    def ranked(self) -> bool:
        return bool(self.ranking)


def read_entry(name: str, raw: object) -> Entry:
    """Read an entry.

    Raises:
        DataError: it is not an object, or ``columns`` or ``tags`` is not an object of strings.
    """
    if not isinstance(raw, dict):
        raise DataError(f"entry '{name}' must be a JSON object, got {type(raw).__name__}")
    fields = cast("JsonObject", raw)
    columns = _names(name, "columns", fields["columns"]) if "columns" in fields else dict(_DEFAULT_COLUMNS)
    tags = _names(name, "tags", fields["tags"]) if "tags" in fields else dict(TAGS)
    return Entry(
        name=name,
        file_name=str(fields.get("file_name", "")),
        remote=any(key in fields for key in _HUBS),
        formatting=fields.get("formatting", "alpaca"),
        ranking=fields.get("ranking", False),
        columns=columns,
        tags=tags,
        unknown_keys=tuple(key for key in fields if key not in _KNOWN),
    )


def write_entry(file_name: str, format: RowFormat, columns: Sequence[str], metadata: JsonObject) -> JsonObject:
    """Return a full entry for a file that has ``columns`` in every row; LLaMA-Factory ignores the key ``datagen``."""
    if format == "text":
        return {"file_name": file_name, "formatting": "alpaca", "ranking": False, "columns": {"prompt": "text"}, "datagen": metadata}
    entry: JsonObject = {
        "file_name": file_name,
        "formatting": "sharegpt" if format in _SHAREGPT else "alpaca",
        "ranking": format in ("preference", "preference_alpaca"),
        "columns": {role: column for role, column in _COLUMN_OF.items() if column in columns},
    }
    if format in _SHAREGPT:
        entry["tags"] = dict(TAGS)
    return entry | {"datagen": metadata}


def entry_for_detected(path: Path, detection: Detection, rows: Sequence[JsonObject]) -> Entry:
    """Return the entry a file would need under the names it uses itself, for checking a file that is not registered."""
    back = {canonical: own for own, canonical in detection.layout.columns.items()}
    present = set[str]().union(*rows)
    columns = {role: own for role, column in _COLUMN_OF.items() if (own := back.get(column, column)) in present}
    tags = dict(TAGS)
    formatting = "sharegpt" if detection.format in (*_SHAREGPT, "openai") else "alpaca"
    if formatting == "sharegpt":
        if detection.format == "openai":
            columns["messages"] = "messages"
            tags |= {"role_tag": "role", "content_tag": "content"}
        else:
            tags |= {"role_tag": detection.layout.role_tag, "content_tag": detection.layout.content_tag}
        tags |= _role_names(rows, columns.get("messages", "conversations"), tags["role_tag"], detection)
        columns = {k: v for k, v in columns.items() if k not in ("prompt", "query", "response", "history")}
    if detection.format == "text":
        columns = {"prompt": "text"}
    ranking = detection.format in ("preference", "preference_alpaca")
    return Entry(path.stem, path.name, False, formatting, ranking, columns, tags)


def _role_names(rows: Sequence[JsonObject], column: str, role_tag: str, detection: Detection) -> dict[str, str]:
    """Return the tag of each canonical role that the rows use under another name."""
    tag_of = {"human": "user_tag", "gpt": "assistant_tag", "observation": "observation_tag", "function_call": "function_tag"}
    tag_of["system"] = "system_tag"
    found: dict[str, str] = {}
    for row in rows:
        turns = row.get(column)
        for turn in cast("list[object]", turns) if isinstance(turns, list) else []:
            role = cast("JsonObject", turn).get(role_tag) if isinstance(turn, dict) else None
            canonical = detection.layout.roles.get(role) if isinstance(role, str) else None
            if canonical:
                found.setdefault(tag_of[canonical], cast("str", role))
    return found


def _names(name: str, key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise DataError(f"'{key}' of entry '{name}' must be a JSON object, got {type(value).__name__}")
    return {role: column for role, column in cast("dict[str, object]", value).items() if isinstance(column, str) and column}
