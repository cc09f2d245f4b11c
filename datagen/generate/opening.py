"""From specs to strategies, in one place: each model is opened once, however many strategies ask it.

One client a model means one limiter, one count of costs and one budget for it; clients of several models that have a budget draw on one
account, so that the cap holds over all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.clients import CachingClient, Client, ResponseStore
from datagen.clients.opening import require_batches
from datagen.clients.prices import FREE, Price
from datagen.errors import UsageError
from datagen.generate import specs
from datagen.generate.grading import empty_prompt
from datagen.generate.judging import Judged
from datagen.generate.pricing import DryClient, DryJudge, Estimate, estimate
from datagen.generate.rejecting import Rejecter
from datagen.generate.specs import (
    METHOD,
    AnySpec,
    AskingSpec,
    ContrastSpec,
    JudgeSpec,
    PreferenceSpec,
    SamplingSpec,
    examiners,
    model_of,
    models_of,
)
from datagen.generate.strategy import Purpose, Strategy
from datagen.generate.writer import Frame, Writer
from datagen.library import Roots
from datagen.schemas.document import Chunk, Document
from datagen.text import estimate_tokens

Weighted = list[tuple[Strategy, float]]


@dataclass(frozen=True, slots=True)
class Crew:
    """Opened strategies with their weights, those that write the exam in their stead, and the clients they share."""

    writers: Weighted
    examiners: Weighted
    clients: tuple[CachingClient, ...] = ()

    def paid(self) -> float:
        """Return the dollars paid through these clients since they were opened; models without a price cost nothing."""
        return sum(c.budget.price.cost(c.usage.paid_tokens_in, c.usage.paid_tokens_out) for c in self.clients)

    async def drain(self) -> None:
        """Finish what is on the wire, before the event loop ends; the strategies can be used in another one."""
        for client in self.clients:
            await client.drain()

    async def aclose(self) -> None:
        """Drain and close; the strategies cannot be used afterwards."""
        for client in self.clients:
            await client.aclose()


def open_crew(
    wanted: Sequence[AnySpec],
    open_model: Callable[[str], CachingClient],
    *,
    judge: JudgeSpec | None = None,
    library: Roots = (),
    batch: bool = False,
) -> Crew:
    """Open the strategies of a set and its exam.

    Args:
        wanted: specs, weights among them.
        open_model: opens a model's client; called once for each model.
        judge: reads every row; None for none.
        library: folders searched for prompts before the built-in library.
        batch: ``open_model`` opens batch APIs; refuse a set that asks no model with one.

    Raises:
        UsageError: a spec's model is not one, or ``open_model`` refuses it.
    """
    models = [*(model for spec in wanted for model in models_of(spec)), *((judge.model,) if judge else ())]
    if batch:
        require_batches(models)
    clients = {model: open_model(model) for model in dict.fromkeys(models)}

    def opened(specs_: Sequence[AnySpec]) -> Weighted:
        strategies = [(open_strategy(spec, clients, library=library), spec.weight) for spec in specs_]
        if judge is None:
            return strategies
        client = clients[judge.model]
        return [(Judged(s, client, model=judge.model, least=judge.least, library=library), weight) for s, weight in strategies]

    return Crew(opened(wanted), opened(examiners(tuple(wanted))), tuple(clients.values()))


def open_strategy(spec: AnySpec, clients: Mapping[str, Client], *, library: Roots = ()) -> Strategy:
    """Open one strategy over the clients of its models.

    Raises:
        UsageError: the spec has a model and there is no client, or its model is not a spec.
    """
    from datagen.generate import strategies

    client = clients.get(model_of(spec) or "")
    match spec:
        case specs.ExtractiveSpec():
            return strategies.Extractive(library)
        case specs.PassageSpec():
            return strategies.Passage()
        case specs.PreferenceSpec():
            base = _base(spec, client, library)
            if spec.rejected == "rules":
                return strategies.Preference(base)
            small = clients[spec.probe_model]
            return strategies.Preference(base, Rejecter(small, model=spec.probe_model, temperature=spec.temperature, library=library))
        case specs.FeedbackSpec():
            return strategies.Feedback(_base(spec, client, library))
        case _ if client is None:
            raise UsageError(f"strategy {spec.kind} needs a model", hint="for example openai:MODEL@http://127.0.0.1:8000/v1")
        case specs.QASpec():
            return strategies.QA(client, **_frame(spec, library))
        case specs.TwoStepQASpec():
            return strategies.TwoStepQA(client, **_frame(spec, library))
        case specs.MultiTurnSpec():
            return strategies.MultiTurn(client, turns=spec.turns, **_frame(spec, library))
        case specs.MultiChunkSpec():
            return strategies.MultiChunk(client, passage_tokens=spec.passage_tokens, **_frame(spec, library))
        case specs.UnanswerableSpec():
            return strategies.Unanswerable(client, **_frame(spec, library))
        case specs.BackTranslationSpec():
            return strategies.BackTranslation(client, **_frame(spec, library))
        case specs.SelfInstructSpec():
            return strategies.SelfInstruct(client, similar=spec.most_similar, **_frame(spec, library))
        case specs.EvolveSpec():
            return strategies.Evolve(client, **_frame(spec, library))
        case specs.PersonaSpec():
            return strategies.Persona(client, roles=spec.roles, readers=spec.readers, **_frame(spec, library))
        case specs.ActiveReadingSpec():
            return strategies.ActiveReading(client, **_frame(spec, library))
        case specs.SpanQuestionSpec():
            return strategies.SpanQuestion(client, **_frame(spec, library))
        case specs.ParaphraseSpec():
            return strategies.Paraphrase(client, **_frame(spec, library))


async def price_spec(
    spec: AnySpec,
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    *,
    price: Price,
    store_path: Path,
    target: int,
    purpose: Purpose,
    max_attempts: int = 3,
    judge: JudgeSpec | None = None,
    judge_price: Price = FREE,
    library: Roots = (),
) -> Estimate:
    """Price one strategy and the judge of its rows, before anything is sent (see :mod:`datagen.generate.pricing`).

    Args:
        spec: of the strategy.
        documents, chunks: what it would read.
        price: of its model.
        store_path: where responses are stored; what is there is free.
        target: rows wanted.
        purpose: ``train`` or ``exam``.
        max_attempts: rounds over each chunk.
        judge: reads every row; None for none.
        judge_price: of the judge's model.
        library: folders searched for prompts before the built-in library.
    """
    store = ResponseStore(store_path) if store_path.exists() else None
    client = DryClient(store)
    if isinstance(spec, PreferenceSpec):
        # What a model on this machine writes costs nothing.
        spec = spec.model_copy(update={"rejected": "rules"})
    strategy = open_strategy(spec, {model_of(spec) or "": client}, library=library)
    writer = strategy if isinstance(strategy, Writer) else None
    items = spec.items_per_request if isinstance(spec, SamplingSpec) else 1
    dry_judge = _dry_judge(spec, chunks, store, judge_price, library) if judge else None
    if judge and dry_judge:
        strategy = Judged(strategy, dry_judge.client, model=judge.model, least=judge.least, library=library)
    try:
        return await estimate(
            strategy,
            client,
            documents,
            chunks,
            store=store,
            price=price,
            target=target,
            rows_per_round=1 if writer and writer.one_row_a_request else items,
            requests_per_round=writer.requests_per_round if writer else 1,
            purpose=purpose,
            max_attempts=max_attempts,
            judge=dry_judge,
        )
    finally:
        await client.aclose()


def _dry_judge(spec: AnySpec, chunks: Sequence[Chunk], store: ResponseStore | None, price: Price, library: Roots) -> DryJudge:
    pair = METHOD[spec.kind] == "dpo"
    unread = isinstance(spec, specs.UnanswerableSpec | specs.PassageSpec)
    prompt = empty_prompt(chunks[0].language if chunks else "en", pair=pair, library=library)
    return DryJudge(DryClient(store), price, 0 if unread else 2 if pair else 1, estimate_tokens(prompt))


def _base(spec: ContrastSpec, client: Client | None, library: Roots) -> Strategy:
    from datagen.generate import strategies

    if spec.model is None:
        return strategies.Extractive(library)
    if client is None:
        raise UsageError(f"strategy over {spec.model}: its client is not open")
    return strategies.QA(client, **_frame(spec, library))


def _frame(spec: AskingSpec | ContrastSpec, library: Roots) -> Frame:
    return Frame(
        model=spec.model or "",
        items=spec.items_per_request,
        temperature=spec.temperature,
        max_tokens=spec.max_tokens,
        keep_reasoning=isinstance(spec, specs.AnsweringSpec) and spec.reasoning == "keep",
        library=library,
    )
