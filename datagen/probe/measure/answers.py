"""Greedy answers to a few eval questions, read by people and scored beside the losses. Imports torch at the top: import it lazily."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch

from datagen.probe.data.encode import Example
from datagen.probe.models.backend import Backend
from datagen.probe.store.texts import Written

BATCH = 16
"""Prompts decoded together: a step's cost is reading the weights, so few are as dear as many, until the cache grows."""


def generate_answers(backend: Backend, prompts: Sequence[Example], *, max_new_tokens: int, adapted: bool) -> list[Written]:
    """Continue each example's prompt greedily with a key-value cache, in left-padded batches of similar length; results in input order.

    Special tokens are removed and text is stripped. At most ``max_new_tokens`` tokens an answer.
    """
    cut = [list(e.ids[: e.learned.index(True)]) for e in prompts]
    order = sorted(range(len(cut)), key=lambda i: (len(cut[i]), i))
    written: list[Written | None] = [None] * len(cut)
    backend.peft.eval()
    with torch.no_grad(), nullcontext() if adapted else backend.peft.disable_adapter():
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            for i, answer in zip(chosen, _continue(backend, [cut[i] for i in chosen], max_new_tokens), strict=True):
                written[i] = answer
    backend.peft.train()
    backend.causal.config.use_cache = False  # generating leaves it on, and training would keep the cache
    return [w for w in written if w is not None]


def _continue(backend: Backend, prompts: list[list[int]], max_new_tokens: int) -> list[Written]:
    tokenizer = backend.tokenizer
    length = max(len(ids) for ids in prompts)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[pad] * (length - len(i)) + i for i in prompts], device=backend.device)
    mask = torch.tensor([[0] * (length - len(i)) + [1] * len(i) for i in prompts], device=backend.device)
    stops = stop_tokens(tokenizer)
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
    return [_written(tokenizer, row, stops) for row in cast("list[list[int]]", output[:, length:].tolist())]


def stop_tokens(tokenizer: Any) -> list[int]:
    unknown = tokenizer.unk_token_id
    named = [tokenizer.convert_tokens_to_ids(t) for t in ("<end_of_turn>", "<|im_end|>", "<|eot_id|>")]
    return sorted({*(t for t in [*named, tokenizer.eos_token_id] if t is not None and t != unknown)})


def _written(tokenizer: Any, ids: list[int], stops: list[int]) -> Written:
    end = next((i for i, token in enumerate(ids) if token in stops), len(ids))
    return Written(str(tokenizer.decode(ids[:end], skip_special_tokens=True)).strip(), end < len(ids))
