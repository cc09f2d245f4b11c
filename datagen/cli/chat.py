"""``datagen chat``: base, adapters and checkpoints answer the same question side by side."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from datagen.cli.console import JsonOption, emit, plain, say

if TYPE_CHECKING:
    from datagen.probe.talk.session import Answered, Question, Session
    from datagen.probe.talk.votes import Choice


def chat(
    adapter: Annotated[
        list[Path] | None,
        typer.Option("--adapter", help="Adapter or checkpoint, or a folder of several; repeatable.", exists=True, file_okay=False),
    ] = None,
    model: Annotated[str, typer.Option("--model", help="Base model: name or folder (default: the first adapter's own).")] = "",
    base: Annotated[bool, typer.Option("--base/--no-base", help="Let the untrained model answer too.")] = True,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", help="Questions to run through: .txt or any row format.", exists=True, dir_okay=False)
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Take this many questions of the file.")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Hide names, ask which of two answers is better, give win rates.")] = False,
    votes: Annotated[Path | None, typer.Option("--votes", help="File votes are kept in; questions in it are not asked again.")] = None,
    persona: Annotated[str, typer.Option("--persona", help="Instruction put before every question, as in training.")] = "",
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="0 takes the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Draws tokens, and who stands left in a blind vote.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write questions and answers as JSONL.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError
    from datagen.jsonl import write_jsonl
    from datagen.probe.talk.session import Session
    from datagen.probe.talk.speakers import load_speakers
    from datagen.probe.talk.votes import read_votes, win_rates

    earlier = read_votes(votes) if votes else []
    speakers = load_speakers(model, adapter or [], with_base=base)
    if blind and len(speakers) < 2:
        raise UsageError("a blind vote needs two that answer", hint="give --adapter DIR")
    say(f"answering: {', '.join(s.name for s in speakers)}" if not blind else f"answering blind: {len(speakers)} models")
    screen = _Terminal(sys.stderr if as_json else sys.stdout)
    session = Session(
        speakers,
        screen,
        blind=blind,
        votes_file=votes,
        persona=persona,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        votes=earlier,
    )
    answered = session.run(_questions(prompts, limit)) if prompts else _talk(session, screen)
    rows = [{"question": a.question.text, "reference": a.question.reference, "answers": a.answers} for a in answered]
    if out:
        write_jsonl(out, rows)
    rates = win_rates(session.votes)
    value = {
        "speakers": [s.name for s in speakers],
        "answers": rows,
        "votes": len(session.votes),
        "win_rates": [r.model_dump() for r in rates],
        "out": str(out) if out else None,
    }
    lines = [
        f"{r.first} against {r.second}: {r.rate:.0%} [{r.low:.0%}, {r.high:.0%}] of {r.wins + r.losses + r.ties} votes "
        f"({r.wins} won, {r.losses} lost, {r.ties} tied; sign test p = {r.p:.3f})"
        for r in rates
    ]
    emit(value, as_json=as_json, human="\n".join(lines) if lines else f"{len(rows)} questions answered")


def _questions(path: Path, limit: int | None) -> "list[Question]":
    from datagen.cli.inputs import read_set
    from datagen.jsonl import read_text
    from datagen.probe.talk.session import Question
    from datagen.schemas.record import TextRecord, completion_text, prompt_text

    if path.suffix == ".txt":
        found = [Question(line.strip()) for line in read_text(path).splitlines() if line.strip()]
    else:
        records = [s.record for s in read_set(path)]
        found = [
            Question(prompt_text(r), r.persona, completion_text(r)) for r in records if not isinstance(r, TextRecord) and prompt_text(r)
        ]
    return found[:limit]


def _talk(session: "Session", screen: "_Terminal") -> "list[Answered]":
    """Ask what is typed; ``/new`` starts a new conversation, ``/quit``, a vote ``q`` or the end of input ends it."""
    from datagen.probe.talk.session import Question

    say("type a question; /new forgets what was said, /quit ends")
    answered: list[Answered] = []
    while (line := screen.read("> ")) is not None and line.strip() != "/quit":
        if line.strip() == "/new":
            session.forget()
        elif line.strip():
            found = session.ask(Question(line.strip()))
            if found is None:
                break
            answered.append(found)
    return answered


class _Terminal:
    """Columns side by side that grow on a terminal; elsewhere each answer as a block when all are done."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._stream = stream
        self._console = Console(file=stream)
        self._titles: list[str] = []
        self._texts: list[str] = []
        self._live: Any = None

    def read(self, prompt: str) -> str | None:
        self._stream.write(prompt)
        self._stream.flush()
        line = sys.stdin.readline()
        return line if line else None

    def begin(self, question: "Question", titles: Sequence[str]) -> None:
        from rich.live import Live

        self._titles, self._texts = list(titles), [""] * len(titles)
        self._console.print(f"\n? {plain(question.text)}", markup=False, highlight=False, style="bold")
        if question.reference:
            self._console.print(f"reference: {plain(question.reference)}", markup=False, highlight=False, style="dim")
        if self._console.is_terminal:
            self._live = Live(self._columns(), console=self._console, refresh_per_second=8)
            self._live.start()

    def grow(self, column: int, text: str) -> None:
        self._texts[column] = text
        if self._live is not None:
            self._live.update(self._columns())

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            return
        for title, text in zip(self._titles, self._texts, strict=True):
            self._console.print(f"[{title}] {plain(text)}", markup=False, highlight=False)

    def ask_vote(self) -> "Choice":
        from datagen.probe.talk.votes import parse_choice

        while (line := self.read("better: 1 = A, 2 = B, t = tie, s = skip, q = quit > ")) is not None:
            if (choice := parse_choice(line)) is not None:
                return choice
        return "quit"

    def reveal(self, names: Sequence[str]) -> None:
        self._console.print("  ".join(f"{t} was {n}" for t, n in zip(self._titles, names, strict=True)), markup=False, highlight=False)

    def _columns(self) -> Any:
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(expand=True, padding=(0, 1))
        for _ in self._titles:
            table.add_column(ratio=1)
        table.add_row(*(Panel(Text(plain(x)), title=Text(t)) for t, x in zip(self._titles, self._texts, strict=True)))
        return table
