"""Compare: ask the base model and an adapter side by side, vote blind, and read the answers to exam questions before and after."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from nicegui import background_tasks, events, ui

from datagen.errors import DatagenError
from datagen.jsonl import read_json
from datagen.ui.data.chat import Adapter, Chat, find_adapters, loss_by_step
from datagen.ui.data.drawing import series
from datagen.ui.data.votes import Choice, Pair, cast_vote, export_votes, read_votes, win_rates
from datagen.ui.desk import Desk
from datagen.ui.frame import button, choose_iteration, heading, is_plain_press, markup, nothing_yet, patiently, table, tag, tell_error, text
from datagen.ui.visitor import Visitor

_CHATS: dict[str, Chat] = {}


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("compare"), 1)
        nothing_yet(visitor)
        return
    choose_iteration(desk, visitor, number)
    adapters, answers, points = await patiently(visitor, lambda: asyncio.to_thread(_read, desk, number))
    _Ask(desk, visitor, adapters).build()
    _Blind(desk, visitor, _pairs(desk, number, answers), answered=bool(answers)).build()
    _gallery(visitor, answers)
    if points:
        heading(visitor.w("by_step"))
        markup(series(points, label=visitor.w("by_step")), "dg-figure")


class _Ask:
    """A question, and columns A and B that fill as the models answer; which model stands where is told after the vote."""

    def __init__(self, desk: Desk, visitor: Visitor, adapters: list[Adapter]) -> None:
        self.desk, self.visitor, self.adapters = desk, visitor, adapters

    def build(self) -> None:
        w = self.visitor.w
        heading(w("ask"), 1)
        if not self.adapters:
            text("p", w("no_model"), "dg-soft")
            return
        with tag("div", "dg-row"):
            self.question = ui.input(label=w("question")).props("outlined dense maxlength=2000").classes("dg-search").mark("ask")
            self.question.on("keydown.enter", self.start)
            names = {i: a.name for i, a in enumerate(self.adapters)}
            self.adapter = ui.select(names, value=len(names) - 1, label=w("models")).props("outlined dense").mark("adapter")
            others = {-1: w("base_model")} | names
            self.against = ui.select(others, value=-1, label=w("compared_with")).props("outlined dense").mark("against")
            self.go = button(w("ask"), self.start).mark("ask-go")
        self.state = text("p", "", "dg-soft")
        self.columns = tag("div", "dg-two")
        self.vote = tag("div", "dg-row dg-ask-vote")

    def start(self) -> None:
        question = str(self.question.value or "").strip()
        if question and self.go.enabled:
            self.go.disable()
            other = int(self.against.value)
            background_tasks.create(
                self.run(question, self.adapters[int(self.adapter.value)], self.adapters[other] if other >= 0 else None)
            )

    async def run(self, question: str, adapter: Adapter, against: Adapter | None) -> None:
        w = self.visitor.w
        pair = Pair(question=question, before="", after="", before_model=against.name if against else "", after_model=adapter.name)
        swapped = pair.swapped(self.visitor.name)
        with self.columns:
            self.columns.clear()
            labels = [_answer_column(side) for side in ("A", "B")]
        self.vote.clear()
        _say(self.state, w("loading_model"))
        answers: dict[str, str] = {}
        try:
            for name, chosen in (("before", against), ("after", adapter)):
                model = (chosen or adapter).model
                chat = _CHATS.setdefault(model, Chat(model))
                label = labels[(name == "before") == swapped]
                answers[name] = await _stream(
                    lambda chat=chat, chosen=chosen: chat.answer(question, chosen), label, lambda: _say(self.state, w("generating"))
                )
        except DatagenError as error:
            with self.columns:
                tell_error(error, self.visitor)
        finally:
            _say(self.state, "")
            self.go.enable()
        if len(answers) == 2:
            done = pair.model_copy(update=answers)
            with self.vote:
                _vote_buttons(self.visitor, lambda choice: self.voted(done, swapped, choice))

    def voted(self, pair: Pair, swapped: bool, choice: str) -> None:
        _store(self.desk, self.visitor, pair, swapped, choice)
        w = self.visitor.w
        before = pair.before_model or w("base_model")
        left, right = (pair.after_model, before) if swapped else (before, pair.after_model)
        self.vote.clear()
        with self.vote:
            text("p", f"A: {left} · B: {right}", "dg-note")


class _Blind:
    """Pairs of stored answers, one at a time, and what the votes say so far."""

    def __init__(self, desk: Desk, visitor: Visitor, pairs: list[Pair], *, answered: bool) -> None:
        self.desk, self.visitor, self.pairs, self.answered = desk, visitor, pairs, answered

    def build(self) -> None:
        heading(self.visitor.w("blind_vote"))
        self.place = tag("div", "dg-blind")
        ui.keyboard(on_key=self.key, ignore=["input", "select", "textarea"])
        self.draw()

    def draw(self) -> None:
        w = self.visitor.w
        votes = read_votes(self.desk.workspace)
        mine = {v.pair.key for v in votes if v.voter == self.visitor.name}
        waiting = [p for p in self.pairs if p.key not in mine]
        self.shown: tuple[Pair, bool] | None = None
        self.place.clear()
        with self.place:
            if not self.pairs:
                text("p", w("same_answers" if self.answered else "no_answers"), "dg-soft")
            elif not waiting:
                text("p", w("all_voted"), "dg-soft").mark("all-voted")
            else:
                pair = waiting[0]
                swapped = pair.swapped(self.visitor.name)
                self.shown = pair, swapped
                text("p", pair.question, "dg-turn user")
                with tag("div", "dg-two"):
                    for side, answer in zip("AB", (pair.after, pair.before) if swapped else (pair.before, pair.after), strict=True):
                        with tag("div", "dg-turn"):
                            text("div", side, "dg-role")
                            text("div", answer or "–", "dg-said")
                with tag("div", "dg-row"):
                    _vote_buttons(self.visitor, lambda choice: self.voted(pair, swapped, choice))
            rates = {models: rate for models, rate in win_rates(votes).items() if rate.rate is not None}
            for (before, after), rate in rates.items():
                shares = {name: f"{share:.0%}" for name, share in (("rate", rate.rate), ("low", rate.low), ("high", rate.high))}
                who = {"before": before or w("base_model"), "after": after}
                text("p", w("win_rate", **who, **shares, n=rate.wins + rate.losses, ties=rate.ties), "dg-advice").mark("win-rate")
            if not rates:
                text("p", w("no_votes"), "dg-soft")
            else:
                button(w("export_votes"), self.export, "flat").mark("export-votes")

    def voted(self, pair: Pair, swapped: bool, choice: str) -> None:
        _store(self.desk, self.visitor, pair, swapped, choice)
        self.draw()

    def key(self, event: events.KeyEventArguments) -> None:
        """Vote by digit on the pair in sight."""
        side = {"1": "left", "2": "tie", "3": "right"}.get(event.key.name)
        if side and self.shown and is_plain_press(event) and not event.action.repeat:
            self.voted(*self.shown, side)

    def export(self) -> None:
        path, n, left_out = export_votes(self.desk.workspace)
        told = self.visitor.w("exported", n=n, path=path)
        reasons = ", ".join(f"{self.visitor.flag(r)} {k}" for r, k in left_out.items())
        ui.notify(f"{told}{f' ({reasons})' if reasons else ''}", multi_line=True, timeout=8000)


def _gallery(visitor: Visitor, answers: list[dict[str, str]]) -> None:
    w = visitor.w
    heading(w("gallery"))
    if not answers:
        text("p", w("no_answers"), "dg-soft")
        return
    empty = w("nothing_said")
    rows = [[a["eval_set"], a["question"], a["reference"], a["baseline"] or empty, a["new"] or empty] for a in answers]
    table(("", w("question"), w("reference"), w("before"), w("after")), rows, classes="dg-texts")


def _pairs(desk: Desk, number: int, answers: list[dict[str, str]]) -> list[Pair]:
    baseline = next((m.baseline for m in desk.ledger() if m.number == number), None)
    before = f"v{baseline}" if baseline else ""
    return [
        Pair(question=a["question"], before=a["baseline"], after=a["new"], before_model=before, after_model=f"v{number}")
        for a in answers
        if a["baseline"].strip() != a["new"].strip()
    ]


def _read(desk: Desk, number: int) -> tuple[list[Adapter], list[dict[str, str]], list[tuple[float, float]]]:
    path = desk.workspace.iteration(number) / "probe" / "result.json"
    answers = read_json(path).get("answers", []) if path.is_file() else []
    return find_adapters(desk.workspace), answers, loss_by_step(desk.workspace, number)


def _store(desk: Desk, visitor: Visitor, pair: Pair, swapped: bool, side: str) -> None:
    choice: Choice = "tie" if side == "tie" else "after" if (side == "left") == swapped else "before"
    cast_vote(desk.workspace, pair, choice, visitor.name)


def _vote_buttons(visitor: Visitor, voted: Callable[[str], None]) -> None:
    for side, words in (("left", "left_better"), ("tie", "tie"), ("right", "right_better")):
        button(visitor.w(words), partial(voted, side), "flat").mark(f"vote-{side}")


def _answer_column(side: str) -> ui.element:
    with tag("div", "dg-turn"):
        text("div", side, "dg-role")
        return text("div", "", "dg-said dg-answer")


async def _stream(pieces: Callable[[], Iterator[str]], place: ui.element, on_first: Callable[[], None]) -> str:
    """Show an answer as it is written; the model works in a thread of its own."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def work() -> None:
        try:
            for piece in pieces():
                loop.call_soon_threadsafe(queue.put_nowait, piece)
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    task = asyncio.create_task(asyncio.to_thread(work))
    said = ""
    while (piece := await queue.get()) is not None:
        if not said:
            on_first()
        said += piece
        _say(place, said)
    await task
    return said.strip()


def _say(element: ui.element, words: str) -> None:
    next(iter(element.default_slot.children)).set_text(words)  # type: ignore[attr-defined]
