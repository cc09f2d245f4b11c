"""Greedy answers to a few eval questions, to be read by people beside the losses. Imports torch at the top: import it lazily."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch

from datagen.jsonl import read_json, write_json
from datagen.probe.data.encode import Example
from datagen.probe.models.backend import Backend
from datagen.schemas.sample import Sample


def choose_questions(exam: Sequence[Sample], count: int) -> list[Sample]:
    """Choose questions spread over eval sets, languages and documents, shortest reference first within each; deterministic."""
    queues: dict[tuple[str, str], list[Sample]] = {}
    for sample in sorted(exam, key=lambda s: s.id):
        queues.setdefault((sample.tags.get("eval_set", ""), sample.tags.get("language", "")), []).append(sample)
    chosen: list[Sample] = []
    used: set[str] = set()
    while len(chosen) < min(count, len(exam)):
        for key in sorted(queues):
            queue = queues[key]
            if queue and len(chosen) < count:
                fresh = next((s for s in queue if s.provenance.document not in used), queue[0])
                queue.remove(fresh)
                used.add(fresh.provenance.document)
                chosen.append(fresh)
    return chosen


def generate_answers(backend: Backend, prompts: Sequence[Example], *, max_new_tokens: int, adapted: bool) -> list[str]:
    """Continue each example's prompt greedily, in one left-padded batch; special tokens are removed, text stripped."""
    tokenizer = backend.tokenizer
    cut = [list(e.ids[: e.learned.index(True)]) for e in prompts]
    length = max(len(ids) for ids in cut)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[pad] * (length - len(i)) + i for i in cut], device=backend.device)
    mask = torch.tensor([[0] * (length - len(i)) + [1] * len(i) for i in cut], device=backend.device)
    stops = _stop_tokens(tokenizer)
    backend.peft.eval()
    with torch.no_grad(), nullcontext() if adapted else backend.peft.disable_adapter():
        output: Any = backend.causal.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            top_p=None,
            top_k=None,
            temperature=None,
            use_cache=True,
            pad_token_id=pad,
            eos_token_id=stops,
        )
    backend.peft.train()
    backend.causal.config.use_cache = False
    return [_text(tokenizer, row, stops) for row in cast("list[list[int]]", output[:, length:].tolist())]


def stored_answers(path: Path) -> list[str] | None:
    """Return answers written by :func:`store_answers`."""
    return cast("list[str]", read_json(path)) if path.is_file() else None


def store_answers(path: Path, answers: list[str]) -> None:
    """Write answers beside their run."""
    write_json(path, answers)


def _stop_tokens(tokenizer: Any) -> list[int]:
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    named = [vocabulary[t] for t in ("<end_of_turn>", "<|im_end|>", "<|eot_id|>") if t in vocabulary]
    return sorted({*named, *([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else [])})


def _text(tokenizer: Any, ids: list[int], stops: list[int]) -> str:
    end = next((i for i, token in enumerate(ids) if token in stops), len(ids))
    return str(tokenizer.decode(ids[:end], skip_special_tokens=True)).strip()
