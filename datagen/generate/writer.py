"""The frame of every strategy that asks a language model: a subclass says which prompts and forms it uses, and what to do with answers.

A strategy is one file in ``strategies/``: its forms (Pydantic models with evidence before the answer), and :meth:`Writer.write`.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NotRequired, TypedDict, Unpack

from pydantic import BaseModel, model_validator

from datagen.clients import Client, Parameters, parse_spec
from datagen.generate.candidate import Candidates, together
from datagen.generate.prompts import load_prompt
from datagen.generate.round import Desk, Round
from datagen.generate.strategy import Purpose
from datagen.generate.structured import strict_schema
from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject
from datagen.library import Roots
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import Frozen

ITEMS = 5
"""Rows asked for in one request, unless told otherwise."""


class ItemList(Frozen):
    """Base of answers ``{"items": [...]}``; a bare list counts as one."""

    @model_validator(mode="before")
    @classmethod
    def _accept_bare_list(cls, value: Any) -> Any:
        return {"items": value} if isinstance(value, list) else value


class Frame(TypedDict):
    """Settings all strategies take.

    Attributes:
        model: the model's spec, as given to ``open_client``.
        items: rows asked for in one request; 5 if absent.
        temperature: sampling temperature, 0 to 2; 0.7 if absent.
        max_tokens: longest completion; absent or None leaves room for the items asked for.
        keep_reasoning: put the model's ``<think>`` before the answer it led to, one row a request; False if absent.
        library: folders searched for prompts before the built-in library.
    """

    model: str
    items: NotRequired[int]
    temperature: NotRequired[float]
    max_tokens: NotRequired[int | None]
    keep_reasoning: NotRequired[bool]
    library: NotRequired[Roots]


class Writer(ABC):
    """A strategy over a client.

    Args:
        client: completes the requests; its store makes ``propose`` deterministic.
        frame: settings all strategies take; see :class:`Frame`.

    Attributes:
        name: written to provenance.
        prompts: ids of all prompts used, ``{language}`` standing for zh and en.
        forms: models of all answers.
        rules: raised whenever the checks change what is kept, so that a rerun does not reuse older rows.
        requests_per_round: requests one ``propose`` usually makes, for prices.
        one_row_a_request: whether the items of a round are asked for one by one, for prices.
        answers_apart: whether the answers are asked for in requests of their own, so that only those need one row each.
        tokens_per_item, tokens_beside: room for one item, and for all else, in the default ``max_tokens``.

    Raises:
        UsageError: ``model`` is not a spec.
    """

    name: ClassVar[str]
    prompts: ClassVar[tuple[str, ...]]
    forms: ClassVar[tuple[type[BaseModel], ...]]
    rules: ClassVar[int] = 1
    requests_per_round: int = 1
    one_row_a_request: bool = False
    answers_apart: ClassVar[bool] = False
    tokens_per_item: ClassVar[int] = 400
    tokens_beside: ClassVar[int] = 400

    def __init__(self, client: Client, **frame: Unpack[Frame]) -> None:
        items = frame.get("items", ITEMS)
        most = frame.get("max_tokens") or self.tokens_per_item * items + self.tokens_beside
        parameters = Parameters(temperature=frame.get("temperature", 0.7), max_tokens=most)
        self.keep_reasoning = frame.get("keep_reasoning", False)
        # What a model thinks belongs to all rows of its answer, so each row is asked for alone: ``items`` small rounds make one.
        self._rounds = items if self.keep_reasoning and not self.answers_apart else 1
        if self.keep_reasoning and self.answers_apart:
            self.requests_per_round += items - 1
        elif self.keep_reasoning:
            self.one_row_a_request = True
        self._desk = Desk(self.name, client, parse_spec(frame["model"]), items // self._rounds, parameters, frame.get("library", ()))

    def options(self) -> JsonObject:
        """Return the settings of this strategy alone that change its output."""
        return {}

    def fingerprint(self) -> str:
        """Return a hash of prompts, model, parameters, options and rules."""
        desk = self._desk
        prompts = [load_prompt(p.format(language=language), desk.library).sha256 for p in self.prompts for language in ("zh", "en")]
        spec = [desk.spec.provider, desk.spec.base_url, desk.spec.model]
        schemas = [strict_schema(form) for form in self.forms]
        options = self.options() | ({"keep_reasoning": self._rounds} if self.keep_reasoning else {})
        return fingerprint([self.name, self.rules, prompts, spec, desk.items, desk.parameters.to_json(), schemas, options])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Write one round of rows about ``chunk``.

        Raises:
            ProviderError: no request can be served. A request that fails alone becomes a dropped row, ``request_failed``.
        """
        alone = self.keep_reasoning and not self.answers_apart
        rounds: list[Round] = []
        for number in range(attempt * self._rounds, (attempt + 1) * self._rounds):
            round_ = Round(self._desk, document, chunk, purpose, number, keep_reasoning=alone)
            await self.write(round_)
            rounds.append(round_)
        return together([round_.candidates() for round_ in rounds])

    @abstractmethod
    async def write(self, round_: Round) -> None:
        """Ask what the strategy asks and settle every item of the answers."""
