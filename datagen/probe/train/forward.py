"""Negative log-likelihood of completion tokens: body once, head and log-softmax on completion tokens only (:mod:`.head`).

This module imports torch at the top: import it lazily.
"""

from typing import Any

import torch

from datagen.probe.data.batch import Batch, collate
from datagen.probe.data.encode import Example
from datagen.probe.train.head import head_nll


def token_nll(model: Any, batch: Batch, *, fused: bool) -> torch.Tensor:
    """Return float32 [n]: minus log-probability (nats) of each target of the batch, differentiable in the adapter.

    ``model`` is the causal LM with its adapter layers in place. ``fused`` uses the head alone on the needed positions; it must be
    off for models whose logits are more than ``hidden @ W^T`` (see :func:`head_is_plain`).
    """
    mask = _additive(batch.attention_mask, model.dtype)
    if not fused:
        output = model(input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids, use_cache=False)
        logits = output.logits.reshape(-1, output.logits.shape[-1])[batch.sources].float()
        return torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
    body = model.base_model(input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids, use_cache=False)
    hidden = body.last_hidden_state
    hidden = hidden.reshape(-1, hidden.shape[-1])[batch.sources]
    return head_nll(hidden, model.get_output_embeddings().weight, batch.targets)


def head_is_plain(model: Any) -> bool:
    """Say whether this model's logits are exactly its output embedding times its last hidden state."""
    ids = torch.arange(2, 10, device=model.device)[None] % model.config.vocab_size
    with torch.no_grad():
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        expected = model(input_ids=ids, use_cache=False).logits
        head = model.get_output_embeddings()
    if getattr(head, "bias", None) is not None:
        return False
    return bool(torch.equal(torch.nn.functional.linear(hidden, head.weight), expected))


def _additive(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Turn a block mask into what every attention adds to its scores; other masks stay."""
    if mask.dim() != 4:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)


_SENTENCES = (
    "The hotel opens at seven in the morning, and breakfast is served from 7:00 to 10:30 on the second floor.",
    "The hotel opens at seven in the morning, and guests can swim in the pool on the roof until late at night.",
    "The hotel opens at seven in the morning; dogs and cats are welcome in every room for a small fee.",
)


def packing_agrees(model: Any, tokenizer: Any, *, fused: bool) -> bool:
    """Say whether sentences with a shared beginning score the same packed as padded, within bfloat16 rounding (0.1 nats a token).

    A model that ignores the block mask or the positions would see the other sentences, and differ by far more.
    """
    examples: list[Example] = []
    for n, sentence in enumerate(_SENTENCES):
        ids: list[int] = tokenizer(sentence)["input_ids"]
        learned = (False,) * 9 + (True,) * (len(ids) - 9)
        examples.append(Example(str(n), "", "", "", tuple(ids), learned, (False,) * len(ids)))
    with torch.no_grad():
        one, two = (token_nll(model, collate(examples, packed=p, device=str(model.device)), fused=fused) for p in (True, False))
    return bool((one - two).abs().mean() < 0.1)
