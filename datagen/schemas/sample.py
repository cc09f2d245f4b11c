"""Sample: a record in its envelope, with where it came from, what it scored and how it is tagged."""

from typing import Any

from pydantic import Field
from pydantic.config import JsonDict

from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject
from datagen.schemas.record import Frozen, Record

# In the exported JSON Schema; a literal default would be deep-copied for every row.
_EMPTY: JsonDict = {"default": {}}


class EvidenceSpan(Frozen):
    """A verbatim passage: ``document.text[start:end] == quote`` (offsets in characters of the ingested text)."""

    document: str
    start: int
    end: int
    quote: str


class Provenance(Frozen):
    """Where a sample came from, enough to find the passage, the prompt and the response again."""

    document: str = ""
    document_sha256: str = ""
    chunk_id: str = ""
    heading_path: tuple[str, ...] = ()
    evidence: tuple[EvidenceSpan, ...] = ()
    strategy: str = ""
    prompt: str = ""
    prompt_sha256: str = ""
    provider: str = ""
    model: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_EMPTY)
    request_key: str = ""
    parents: tuple[str, ...] = ()


class Sample(Frozen):
    """One row of a dataset inside datagen.

    ``id`` is the sha256 of the canonical record, so equal records have equal ids wherever they were made.
    ``tags`` in use: ``language`` (zh, en), ``question_type``, ``row_style`` (persona, task), ``fact`` (key shared by
    all phrasings of one fact), ``eval_set`` (recall, unseen, vault; only on exam samples), and of single strategies ``turns``,
    ``reader``, ``study``, ``evolution`` and ``rejection`` (how a wrong answer was made: number, unit, span).
    """

    id: str
    record: Record
    provenance: Provenance = Provenance()
    scores: dict[str, float] = Field(default_factory=dict, json_schema_extra=_EMPTY)
    tags: dict[str, str] = Field(default_factory=dict, json_schema_extra=_EMPTY)

    @classmethod
    def of(
        cls, record: Record, *, provenance: Provenance | None = None, tags: dict[str, str] | None = None
    ) -> "Sample":
        """Wrap a record and compute its id."""
        return cls(
            id=fingerprint(record.model_dump(mode="json")),
            record=record,
            provenance=provenance or Provenance(),
            tags=tags or {},
        )

    def tagged(self, **tags: str) -> "Sample":
        """Return a copy with tags added or replaced; the id does not change."""
        return self.model_copy(update={"tags": {**self.tags, **tags}})

    def to_json(self) -> JsonObject:
        """Return the JSON object that ``Sample.model_validate`` reads back."""
        return self.model_dump(mode="json")
