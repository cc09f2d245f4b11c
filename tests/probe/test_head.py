"""The tiled head against plain cross entropy, in both dtypes; the fused LoRA layer against PEFT's."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as hs

from datagen.probe.config import ProbeConfig
from datagen.probe.models.backend import load_backend, reset_adapter
from datagen.probe.train import head

WIDTH = 32


def _case(n: int, vocabulary: int, dtype: torch.dtype, seed: int, sharp: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, WIDTH, generator=generator)
    weight = torch.randn(vocabulary, WIDTH, generator=generator) * 0.5
    targets = torch.randint(0, vocabulary, (n,), generator=generator)
    weight[targets] += sharp * hidden / WIDTH
    return hidden.to(dtype), weight.to(dtype), targets


def _both(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    found: list[list[torch.Tensor]] = []
    for tiled in (True, False):
        leaf = hidden.clone().requires_grad_()
        if tiled:
            losses = head.head_nll(leaf, weight, targets)
        else:
            losses = torch.nn.functional.cross_entropy((leaf @ weight.t()).float(), targets, reduction="none")
        losses.mean().backward()
        assert leaf.grad is not None
        found.append([losses.detach(), leaf.grad])
    return found[0], found[1]


@given(n=hs.integers(1, 300), vocabulary=hs.integers(2, 9000), seed=hs.integers(0, 1000), sharp=hs.sampled_from([0.0, 2.0, 8.0]))
@settings(max_examples=20, deadline=None)
def test_losses_and_gradients_are_plain_cross_entropy_s_in_float32(n: int, vocabulary: int, seed: int, sharp: float) -> None:
    ours, plain = _both(*_case(n, vocabulary, torch.float32, seed, sharp))
    assert torch.allclose(ours[0], plain[0], atol=2e-5, rtol=1e-5)
    assert torch.allclose(ours[1], plain[1], atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("sharp", [0.0, 4.0, 12.0], ids=["flat", "peaked", "certain"])
def test_what_is_left_out_is_below_bfloat16_s_rounding(sharp: float) -> None:
    hidden, weight, targets = _case(300, 20_000, torch.bfloat16, 7, sharp)
    ours, plain = _both(hidden, weight, targets)
    exact, _ = _both(hidden.float(), weight.float(), targets)
    assert torch.allclose(ours[0], plain[0], atol=2e-3)
    errors = [float((g[1].float() - exact[1]).norm() / exact[1].norm()) for g in (ours, plain)]
    assert errors[0] <= errors[1] * 1.1


def test_without_gradient_the_losses_are_the_same() -> None:
    hidden, weight, targets = _case(40, 5000, torch.bfloat16, 3, 2.0)
    leaf = hidden.clone().requires_grad_()
    assert torch.equal(head.head_nll(hidden, weight, targets), head.head_nll(leaf, weight, targets).detach())


def test_fused_lora_is_peft_s_layer(tiny: Path) -> None:
    backend = load_backend(tiny, ProbeConfig(model=str(tiny), rank=4, alpha=8, dtype="float32"))
    parameters = reset_adapter(backend, 3)
    with torch.no_grad():
        for name, parameter in parameters:
            if "lora_B" in name:
                parameter.normal_(0, 0.02, generator=torch.Generator().manual_seed(len(name)))
    ids = torch.arange(5, 45)[None]
    outcomes: list[tuple[torch.Tensor, tuple[torch.Tensor, ...]]] = []
    for own in (True, False):
        if not own:
            for module in backend.causal.modules():
                module.__dict__.pop("forward", None)
        loss = backend.causal(input_ids=ids, labels=ids, use_cache=False).loss
        outcomes.append((loss.detach(), torch.autograd.grad(loss, [p for _, p in parameters])))
    assert torch.allclose(outcomes[0][0], outcomes[1][0], atol=1e-6)
    for ours, theirs in zip(outcomes[0][1], outcomes[1][1], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6, rtol=1e-3)
