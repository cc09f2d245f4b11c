"""JSON Schemas of everything users read or write, generated from the models; committed in ``schemas/`` and checked for drift."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from datagen.jsonl import write_bytes
from datagen.schemas.alpaca import AlpacaRow
from datagen.schemas.document import Chunk, Document
from datagen.schemas.kto import KtoAlpacaRow, KtoRow
from datagen.schemas.openai_chat import OpenAIChatRow
from datagen.schemas.preference import PreferenceAlpacaRow, PreferenceRow
from datagen.schemas.record import RECORD, ConversationRecord, FeedbackRecord, PreferenceRecord, TextRecord
from datagen.schemas.sample import Sample
from datagen.schemas.sharegpt import ShareGPTRow
from datagen.schemas.text import TextRow


class _Source(NamedTuple):
    file: str
    model: type[BaseModel] | TypeAdapter[Any]
    where: str
    what: str


_SOURCES = (
    _Source("sample", Sample, "datagen/schemas/sample.py: Sample", "one sample: record, provenance, scores, tags"),
    _Source("record", RECORD, "datagen/schemas/record.py: Record", "any record, told apart by `kind`"),
    _Source("record_conversation", ConversationRecord, "datagen/schemas/record.py: ConversationRecord", "supervised conversation"),
    _Source("record_preference", PreferenceRecord, "datagen/schemas/record.py: PreferenceRecord", "prompt, chosen, rejected"),
    _Source("record_feedback", FeedbackRecord, "datagen/schemas/record.py: FeedbackRecord", "prompt, completion, label"),
    _Source("record_text", TextRecord, "datagen/schemas/record.py: TextRecord", "plain text"),
    _Source("document", Document, "datagen/schemas/document.py: Document", "an ingested document"),
    _Source("chunk", Chunk, "datagen/schemas/document.py: Chunk", "a passage of a document"),
    _Source("row_alpaca", AlpacaRow, "datagen/schemas/alpaca.py: AlpacaRow", "row format `alpaca`"),
    _Source("row_sharegpt", ShareGPTRow, "datagen/schemas/sharegpt.py: ShareGPTRow", "row format `sharegpt`"),
    _Source("row_openai", OpenAIChatRow, "datagen/schemas/openai_chat.py: OpenAIChatRow", "row format `openai`"),
    _Source("row_preference", PreferenceRow, "datagen/schemas/preference.py: PreferenceRow", "row format `preference`"),
    _Source(
        "row_preference_alpaca", PreferenceAlpacaRow, "datagen/schemas/preference.py: PreferenceAlpacaRow", "row format `preference_alpaca`"
    ),
    _Source("row_kto", KtoRow, "datagen/schemas/kto.py: KtoRow", "row format `kto`"),
    _Source("row_kto_alpaca", KtoAlpacaRow, "datagen/schemas/kto.py: KtoAlpacaRow", "row format `kto_alpaca`"),
    _Source("row_text", TextRow, "datagen/schemas/text.py: TextRow", "row format `text`"),
)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_schemas() -> dict[str, str]:
    """Return file name -> content of every file in ``schemas/``, README included; the same on every machine."""
    files = {f"{source.file}.schema.json": _render(source) for source in _SOURCES}
    return files | {"README.md": _readme()}


def write_schemas(folder: Path) -> list[str]:
    """Write all files and return their names in order."""
    files = render_schemas()
    for name, text in files.items():
        write_bytes(folder / name, text.encode())
    return list(files)


def find_drift(folder: Path) -> dict[str, str]:
    """Return file name -> ``missing``, ``stale`` or ``extra`` for files that differ from what the models say."""
    files = render_schemas()
    drift: dict[str, str] = {}
    for name, text in files.items():
        path = folder / name
        if not path.is_file():
            drift[name] = "missing"
        elif path.read_text(encoding="utf-8") != text:
            drift[name] = "stale"
    extra = {path.name for path in folder.iterdir() if path.is_file()} - set(files) if folder.is_dir() else set[str]()
    return drift | dict.fromkeys(sorted(extra), "extra")


def _render(source: _Source) -> str:
    model = source.model
    schema = model.json_schema() if isinstance(model, TypeAdapter) else model.model_json_schema()
    return json.dumps({"$schema": _DIALECT, **schema}, ensure_ascii=False, indent=2) + "\n"


def _readme() -> str:
    rows = "".join(f"| [`{s.file}.schema.json`]({s.file}.schema.json) | `{s.where}` | {s.what} |\n" for s in _SOURCES)
    return (
        "# JSON Schemas\n\n"
        "Generated from the models; do not edit. `datagen schema export` writes them again, `datagen schema export --check` fails if one\n"
        "is not current. Row formats list the columns datagen reads; other columns are allowed and reported by `datagen convert`.\n\n"
        f"| file | model | describes |\n|---|---|---|\n{rows}"
    )
