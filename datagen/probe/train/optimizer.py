"""AdamW over the adapter, the learning-rate schedule, and averaging of the last weights. Imports torch at the top.

LoRA+ gives B ``lora_plus_ratio`` times A's learning rate (S. Hayou et al., arXiv 2402.12354).
"""

import torch

from datagen.probe.config import ProbeConfig

WARMUP = 0.05

Named = list[tuple[str, torch.nn.Parameter]]


def build_optimizer(parameters: Named, config: ProbeConfig) -> torch.optim.AdamW:
    """Return AdamW without weight decay; its groups carry the factor of the rate they get (see :func:`set_rate`)."""
    fast = [p for n, p in parameters if "lora_B" in n]
    slow = [p for n, p in parameters if "lora_B" not in n]
    groups = [{"params": slow, "factor": 1.0}, {"params": fast, "factor": config.lora_plus_ratio}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.0)


def set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, config: ProbeConfig) -> None:
    """Set every group's learning rate for the 0-based ``step``."""
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * group["factor"] * schedule(step, steps, config.schedule)


def schedule(step: int, steps: int, kind: str = "linear") -> float:
    """Return the factor in (0, 1] for 0-based ``step``: 5 % warm-up, then (``linear``) decay that would reach zero after the last."""
    warm = max(1, round(WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    return 1.0 if kind == "constant" else (steps - step) / max(1, steps - warm)


class WeightAverage:
    """Mean of the weights after each of the last ``share`` of the steps."""

    def __init__(self, share: float, steps: int) -> None:
        self.first = steps - round(share * steps) if share else steps
        self.count = 0
        self.mean: list[torch.Tensor] = []

    def update(self, step: int, parameters: Named) -> None:
        """Take the weights after 1-based ``step`` into the mean, if they are among the last."""
        if step <= self.first:
            return
        self.count += 1
        if self.count == 1:
            self.mean = [p.detach().clone() for _, p in parameters]
            return
        for mean, (_, parameter) in zip(self.mean, parameters, strict=True):
            mean.lerp_(parameter.detach(), 1 / self.count)

    def apply(self, parameters: Named) -> None:
        """Put the mean into the model; nothing happens if no step was averaged."""
        if self.count:
            restore(parameters, self.mean)


def snapshot(parameters: Named) -> list[torch.Tensor]:
    """Copy the weights."""
    return [p.detach().clone() for _, p in parameters]


def restore(parameters: Named, weights: list[torch.Tensor]) -> None:
    """Put copied weights back."""
    with torch.no_grad():
        for (_, parameter), weight in zip(parameters, weights, strict=True):
            parameter.copy_(weight)
