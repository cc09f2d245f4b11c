"""``persona``: questions as different readers of the document would ask them: a new employee, an angry guest, an auditor.

The roles are named by the model once a document (5 to 20), or given in the recipe; each chunk and attempt has one of them, in an order
fixed by a hash, so that roles are spread over passages. One request a round, and one a document for the roles. Reasons: ``defects``.

Source: T. Ge et al., "Scaling synthetic data creation with 1,000,000,000 personas", 2024 (arXiv 2406.20094).
"""

from collections.abc import Sequence
from typing import Unpack

from datagen.clients import Client
from datagen.generate.defects import pair_defect
from datagen.generate.round import Round
from datagen.generate.strategies.qa import QAItems
from datagen.generate.writer import Frame, ItemList, Writer
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject
from datagen.schemas.record import Frozen, question_answer

PROMPT, ROLES_PROMPT = "persona/{language}.v1", "persona/roles_{language}.v1"
OPENING_CHARACTERS = 2000
"""How much of a document's beginning the model sees when it names its readers."""
BETWEEN = " - "
"""Stands between a reader's role and what they want."""


class RoleItem(Frozen):
    """One reader: who, and what they want from the document."""

    role: str
    wants: str


class RoleItems(ItemList):
    """A whole answer of the first step."""

    items: tuple[RoleItem, ...]


class Persona(Writer):
    """The strategy (see the module). ``roles``: readers the model names a document; ``readers``: given ones instead."""

    name = "persona"
    prompts = (PROMPT, ROLES_PROMPT)
    forms = (QAItems, RoleItems)

    def __init__(self, client: Client, *, roles: int = 8, readers: Sequence[str] = (), **frame: Unpack[Frame]) -> None:
        super().__init__(client, **frame)
        self._roles = roles
        self._readers = tuple(readers)

    def options(self) -> JsonObject:
        return {"roles": self._roles, "readers": list(self._readers)}

    async def write(self, round_: Round) -> None:
        roles = self._readers or await self._name_roles(round_)
        if not roles:
            return
        order = sorted(roles, key=lambda role: sha256_hex(f"{round_.chunk.id}:{role}"))
        role = order[round_.attempt % len(order)]
        asked = await round_.ask(PROMPT, QAItems, role=role)
        if asked is None:
            return
        for item in asked.value.items:
            span = round_.locate(item.evidence)
            record = question_answer(item.question.strip(), item.answer.strip())
            defect = pair_defect(item.question, item.answer, [(item.evidence, span)], round_.chunk.language)
            round_.settle(round_.sample(record, asked, [span], question_type=item.question_type, reader=role.split(BETWEEN)[0]), defect)

    async def _name_roles(self, round_: Round) -> tuple[str, ...]:
        """Ask for the document's readers; the request is the same for all its chunks."""
        document = round_.document
        headings = "\n".join(dict.fromkeys(" > ".join(s.heading_path) for s in document.sections if s.heading_path))
        asked = await round_.ask(
            ROLES_PROMPT,
            RoleItems,
            attempt=0,
            headings=headings[:OPENING_CHARACTERS],
            passage=document.text[:OPENING_CHARACTERS],
            passage_id=document.sha256[:16],
            items=self._roles,
        )
        named = [f"{item.role.strip()}{BETWEEN}{item.wants.strip()}" for item in asked.value.items if item.role.strip()] if asked else []
        return tuple(dict.fromkeys(named[: self._roles]))
