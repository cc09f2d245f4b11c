"""Negative log-likelihood of completion tokens: body once, head and log-softmax on completion tokens only.

A 262k vocabulary is most of a small model's arithmetic, so the head never sees prompt tokens; logits exist in chunks of
``CHUNK`` tokens, log-softmax is float32, and the backward pass through the frozen head is computed beside the forward one.
Source of the fused form: linkedin/Liger-Kernel: src/liger_kernel/ops/fused_linear_cross_entropy.py.
This module imports torch at the top: import it lazily.
"""

from typing import Any, cast

import torch

from datagen.probe.data.batch import Batch, collate
from datagen.probe.data.encode import Example

CHUNK = 256
NEGLIGIBLE = 1e-6
"""Vocabulary entries no target of a chunk gives more probability than this are left out of the *backward* product in bfloat16. An
approximation: dropped mass 9e-4 a token on average, 1.5e-2 at most, gradients 1.6 % apart (Gemma-270M, 8 rows); not yet compared with
bfloat16's own rounding. Losses are always over the whole vocabulary; -1 gives the plain product."""


def token_nll(model: Any, batch: Batch, *, fused: bool) -> torch.Tensor:
    """Return float32 [n]: minus log-probability (nats) of each target of the batch, differentiable in the adapter.

    ``model`` is the causal LM with its adapter layers in place. ``fused`` uses the head alone on the needed positions; it must be
    off for models whose logits are more than ``hidden @ W^T`` (see :func:`head_is_plain`).
    """
    if not fused:
        output = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, position_ids=batch.position_ids, use_cache=False
        )
        logits = output.logits.reshape(-1, output.logits.shape[-1])[batch.sources].float()
        return torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
    body = model.base_model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, position_ids=batch.position_ids, use_cache=False
    )
    hidden = body.last_hidden_state
    hidden = hidden.reshape(-1, hidden.shape[-1])[batch.sources]
    return cast(torch.Tensor, _HeadNll.apply(hidden, model.get_output_embeddings().weight, batch.targets))


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


def _product(gradient: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply the logits' gradient by the head; in bfloat16 over the entries that matter only."""
    if weight.dtype == torch.float32:
        return gradient @ weight
    used = (torch.maximum(gradient.amax(dim=0), -gradient.amin(dim=0)) > NEGLIGIBLE).nonzero().squeeze(1)
    return gradient[:, used].to(weight.dtype) @ weight[used]


class _HeadNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wants_gradient = ctx.needs_input_grad[0]
        losses: list[torch.Tensor] = []
        gradients: list[torch.Tensor] = []
        for start in range(0, len(targets), CHUNK):
            part, goal = hidden[start : start + CHUNK], targets[start : start + CHUNK]
            logits = torch.nn.functional.linear(part, weight).float()
            top = logits.max(dim=-1, keepdim=True).values
            chosen = logits.gather(1, goal[:, None])
            total = logits.sub_(top).exp_().sum(dim=-1, keepdim=True)
            losses.append((total.log() + top - chosen).squeeze(1))
            if wants_gradient:
                logits.div_(total)
                logits.scatter_add_(1, goal[:, None], torch.full_like(chosen, -1.0))
                gradients.append(_product(logits, weight))
        if wants_gradient:
            ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient.float() * grad_outputs[0][:, None]).to(gradient.dtype), None, None
