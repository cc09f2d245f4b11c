"""A conversation with several speakers: questions in, answers out, votes collected. Terminal and page are whoever implements ``Screen``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from datagen.probe.talk.speakers import Speaker
from datagen.probe.talk.votes import Choice, Vote, next_pair, store_vote
from datagen.schemas.record import Message


class Question(NamedTuple):
    """What is asked; ``reference`` is the expected answer if one is known."""

    text: str
    persona: str = ""
    reference: str = ""


class Answered(NamedTuple):
    """One question with every speaker's answer, by name, in the order shown."""

    question: Question
    answers: dict[str, str]


class Screen(Protocol):
    """Where answers are shown while they grow, and votes are asked for."""

    def begin(self, question: Question, titles: Sequence[str]) -> None: ...

    def grow(self, column: int, text: str) -> None: ...

    def end(self) -> None: ...

    def ask_vote(self) -> Choice: ...

    def reveal(self, names: Sequence[str]) -> None: ...


@dataclass(slots=True)
class Session:
    """Settings and state of one conversation. With ``blind`` two speakers answer each question, chosen so that all pairs come up equally
    often, under the titles A and B; every question then starts afresh. Otherwise everybody answers and remembers what was said."""

    speakers: Sequence[Speaker]
    screen: Screen
    blind: bool = False
    votes_file: Path | None = None
    persona: str = ""
    max_new_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    votes: list[Vote] = field(default_factory=list[Vote])
    history: dict[str, list[Message]] = field(default_factory=dict[str, list[Message]])

    def ask(self, question: Question) -> Answered | None:
        """Put one question to the speakers; with ``blind`` ask for a vote, and return None if the person quits."""
        chosen = list(self.speakers)
        if self.blind:
            by_name = {s.name: s for s in self.speakers}
            pair = next_pair([s.name for s in self.speakers], self.votes, question.text, seed=self.seed)
            chosen = [by_name[name] for name in pair]
        titles = ["A", "B"] if self.blind else [s.name for s in chosen]
        answers = self._stream(chosen, titles, question)
        found = Answered(question, {s.name: a for s, a in zip(chosen, answers, strict=True)})
        if not self.blind:
            for speaker, answer in zip(chosen, answers, strict=True):
                turn = [Message(role="user", content=question.text), Message(role="assistant", content=answer)]
                self.history.setdefault(speaker.name, []).extend(turn)
            return found
        return found if self._vote(question, chosen, answers) else None

    def forget(self) -> None:
        """Start afresh: the next question is the first of its conversation."""
        self.history.clear()

    def run(self, questions: Iterable[Question]) -> list[Answered]:
        """Put independent questions one after another; with ``blind`` those that have been voted on are left out."""
        done = {v.question for v in self.votes}
        answered: list[Answered] = []
        for question in questions:
            if self.blind and question.text in done:
                continue
            self.forget()
            found = self.ask(question)
            if found is None:
                break
            answered.append(found)
        return answered

    def _stream(self, chosen: Sequence[Speaker], titles: Sequence[str], question: Question) -> list[str]:
        from datagen.probe.talk.stream import stream_answers

        asked = Message(role="user", content=question.text)
        answers = [""] * len(chosen)
        self.screen.begin(question, titles)
        for n, new in stream_answers(
            chosen,
            [[*self.history.get(s.name, []), asked] for s in chosen],
            persona=question.persona or self.persona,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=self.seed,
        ):
            answers[n] += new
            self.screen.grow(n, answers[n])
        self.screen.end()
        return answers

    def _vote(self, question: Question, chosen: Sequence[Speaker], answers: Sequence[str]) -> bool:
        choice = self.screen.ask_vote()
        if choice == "quit":
            return False
        if choice != "skip":
            names = chosen[0].name, chosen[1].name
            winner = {"first": names[0], "second": names[1], "tie": "tie"}[choice]
            vote = Vote(question=question.text, shown=names, answers=(answers[0], answers[1]), winner=winner)
            self.votes.append(vote)
            if self.votes_file is not None:
                store_vote(self.votes_file, vote)
        self.screen.reveal([s.name for s in chosen])
        return True
