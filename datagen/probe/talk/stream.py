"""Several models answer at once, token by token in turn, so that their answers grow side by side. Imports torch at the top: import it
lazily."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from datagen.probe.data.encode import encode
from datagen.probe.measure.answers import stop_tokens
from datagen.probe.talk.speakers import Speaker
from datagen.schemas.record import ConversationRecord, Message
from datagen.schemas.sample import Sample


@dataclass(slots=True)
class _Turn:
    """One speaker's answer while it grows."""

    speaker: Speaker
    ids: torch.Tensor
    stops: frozenset[int]
    generator: torch.Generator
    cache: Any = None
    tokens: list[int] = field(default_factory=list[int])
    text: str = ""
    done: bool = False


def stream_answers(
    speakers: Sequence[Speaker],
    conversations: Sequence[Sequence[Message]],
    *,
    persona: str = "",
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Generator[tuple[int, str]]:
    """Yield (speaker's index, new text) as tokens come; each speaker continues its own conversation, which ends with a user turn.

    At ``temperature`` 0 the likeliest token is taken; above, tokens are drawn with a generator seeded alike for all speakers. Special
    tokens are left out, and characters that are not complete yet are held back.
    """
    turns = [
        _Turn(
            s,
            torch.tensor([prompt_ids(c, s.engine.tokenizer, persona=persona)], device=s.engine.device),
            _stops(s),
            torch.Generator().manual_seed(seed),
        )
        for s, c in zip(speakers, conversations, strict=True)
    ]
    for _ in range(max_new_tokens):
        for n, turn in enumerate(turns):
            if not turn.done and (new := _step(turn, temperature)):
                yield n, new
        if all(turn.done for turn in turns):
            break
    for n, turn in enumerate(turns):
        if rest := _decode(turn)[len(turn.text) :]:
            yield n, rest


def prompt_ids(messages: Sequence[Message], tokenizer: Any, *, persona: str) -> list[int]:
    """Return the token ids a model is given before it answers: exactly those that stood before the completion in training."""
    record = ConversationRecord(messages=(*messages, Message(role="assistant", content="")), persona=persona)
    example = encode([Sample.of(record)], tokenizer, max_length=1 << 20).examples[0]
    start = max(i for i in range(1, len(example.ids)) if example.learned[i] and not example.learned[i - 1])
    return list(example.ids[:start])


def _step(turn: _Turn, temperature: float) -> str:
    with torch.inference_mode(), turn.speaker.engine.speaking(turn.speaker.adapter) as model:
        output = model(input_ids=turn.ids, past_key_values=turn.cache, use_cache=True, logits_to_keep=1)
    turn.cache = output.past_key_values
    logits = output.logits[0, -1].float()
    if temperature > 0:
        token = int(torch.multinomial(torch.softmax(logits / temperature, dim=-1).cpu(), 1, generator=turn.generator))
    else:
        token = int(logits.argmax())
    if token in turn.stops:
        turn.done = True
        return ""
    turn.tokens.append(token)
    turn.ids = torch.tensor([[token]], device=turn.speaker.engine.device)
    text = _decode(turn)
    if text.endswith("\ufffd"):
        return ""
    new, turn.text = text[len(turn.text) :], text
    return new


def _decode(turn: _Turn) -> str:
    return str(turn.speaker.engine.tokenizer.decode(turn.tokens, skip_special_tokens=True))


def _stops(speaker: Speaker) -> frozenset[int]:
    return frozenset(stop_tokens(speaker.engine.tokenizer))
