"""Log-softmax over a large vocabulary, in tiles that stay in the processor's cache. Imports torch at the top: import it lazily.

A 262k vocabulary is most of a small model's arithmetic, and its logits fit no cache: on two cores, turning 211 rows of them into float32
takes a quarter of the time of the matrix product. So logits are made in tiles of ``TILE`` entries, the log-sum-exp is accumulated over
tiles in float32, and the backward pass through the frozen head is computed beside the forward one.
Source of the fused form: linkedin/Liger-Kernel: src/liger_kernel/ops/fused_linear_cross_entropy.py; of the running log-sum-exp:
M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.
"""

from typing import Any, cast

import torch

ROWS = 256
"""Tokens whose logits are computed together."""
TILE = {"cpu": 4096, "cuda": 1 << 16}
"""Vocabulary entries a tile: a tile of float32 logits is 4 MB on CPUs."""
THRESHOLDS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Entries to which no token of a chunk gives more probability than one of these may be left out of the backward product."""

_buffers: dict[tuple[int, torch.dtype, torch.device], torch.Tensor] = {}


def head_nll(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return float32 [n]: ``-log softmax(hidden @ weight^T)[target]``, in nats, differentiable in ``hidden`` only.

    Losses are exact up to float32 summation. In a bfloat16 gradient, vocabulary entries are left out whose probabilities sum, over a
    chunk's tokens, to less than ``roundoff / 4`` of the gradient's absolute sum: rounding the entries that stay may change four times
    as much.

    Args:
        hidden: [n, width], in the weight's dtype.
        weight: [vocabulary, width], frozen.
        targets: int64 [n].
    """
    return cast(torch.Tensor, _HeadNll.apply(hidden, weight, targets))


class _HeadNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        losses: list[torch.Tensor] = []
        gradients: list[torch.Tensor] = []
        for start in range(0, len(targets), ROWS):
            tiles = _Tiles(hidden[start : start + ROWS], weight, targets[start : start + ROWS])
            losses.append(tiles.losses(keep=wanted))
            if wanted:
                gradients.append(tiles.gradient(losses[-1]))
        if wanted:
            ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * grad_outputs[0][:, None]).to(ctx.saved_tensors[0].dtype), None, None


class _Tiles:
    """Logits of up to ``ROWS`` tokens, tile by tile, in buffers that are used again by the next ones."""

    def __init__(self, hidden: torch.Tensor, weight: torch.Tensor, goal: torch.Tensor) -> None:
        self.hidden, self.weight, self.goal = hidden, weight, goal
        self.size = TILE.get(hidden.device.type, 1 << 16)
        self.starts = range(0, len(weight), self.size)
        self.lse = torch.empty(0)

    def _tile(self, number: int, dtype: torch.dtype) -> torch.Tensor:
        """Return buffer ``number`` (-1: the float32 one) in the shape of a tile of this many rows."""
        start = self.starts[max(number, 0)]
        key = (number, dtype, self.hidden.device)
        if key not in _buffers:
            _buffers[key] = torch.empty(ROWS * self.size, dtype=dtype, device=self.hidden.device)
        shape = len(self.hidden), min(self.size, len(self.weight) - start)
        return _buffers[key][: shape[0] * shape[1]].view(shape)

    def _float(self, logits: torch.Tensor) -> torch.Tensor:
        key = (-1, torch.float32, logits.device)
        if key not in _buffers:
            _buffers[key] = torch.empty(ROWS * self.size, dtype=torch.float32, device=logits.device)
        return _buffers[key][: logits.numel()].view(logits.shape).copy_(logits)

    def _inside(self, start: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return which targets lie in a tile, and where."""
        place = self.goal - start
        return (place >= 0) & (place < width), place.clamp(0, width - 1)[:, None]

    def losses(self, *, keep: bool) -> torch.Tensor:
        """Return float32 [rows]; ``keep`` keeps the logits for :meth:`gradient`, with minus infinity at the targets."""
        n = len(self.hidden)
        top = torch.full((n, 1), -torch.inf, device=self.hidden.device)
        total, chosen = torch.zeros_like(top), torch.zeros_like(top)
        for number, start in enumerate(self.starts):
            logits = self._tile(number if keep else 0, self.hidden.dtype)
            if not keep and number == len(self.starts) - 1:
                logits = self._tile(number, self.hidden.dtype)
            torch.mm(self.hidden, self.weight[start : start + logits.shape[1]].t(), out=logits)
            inside, place = self._inside(start, logits.shape[1])
            chosen = torch.where(inside[:, None], logits.gather(1, place).float(), chosen)
            values = self._float(logits)
            higher = torch.maximum(top, values.amax(dim=1, keepdim=True))
            total = total * (top - higher).exp_() + values.sub_(higher).exp_().sum(dim=1, keepdim=True)
            top = higher
            if keep:
                logits.scatter_(1, place, torch.where(inside[:, None], -torch.inf, logits.gather(1, place)))
        self.lse = total.log_() + top
        return (self.lse - chosen).squeeze(1)

    def gradient(self, losses: torch.Tensor) -> torch.Tensor:
        """Return float32 [rows, width]: the losses' gradient, ``(p - onehot) @ weight``; uses the logits up."""
        highest = [self._to_probabilities(number) for number in range(len(self.starts))]
        threshold = self._threshold(highest, losses)
        away = torch.expm1(-losses)  # p - 1 of the target, exact where p is near 1
        found = away[:, None] * self.weight[self.goal].float()
        for number, start in enumerate(self.starts):
            tile = self._tile(number, self.hidden.dtype)
            used = (highest[number] > threshold).nonzero().squeeze(1)
            if len(used) * 2 > tile.shape[1]:
                found += tile @ self.weight[start : start + tile.shape[1]]
            elif len(used):
                found += tile[:, used] @ self.weight[start + used]
        return found

    def _to_probabilities(self, number: int) -> torch.Tensor:
        """Turn a tile of logits into probabilities; return each entry's highest."""
        tile = self._tile(number, self.hidden.dtype)
        values = self._float(tile).sub_(self.lse).exp_()
        tile.copy_(values)
        return values.amax(dim=0)

    def _threshold(self, highest: list[torch.Tensor], losses: torch.Tensor) -> float:
        """Return the largest threshold under which little enough is left out; -1 (nothing is) in float32, or if all leave out too much."""
        if self.hidden.dtype == torch.float32:
            return -1.0
        allowed = torch.finfo(self.hidden.dtype).eps / 8 * float(-2 * torch.expm1(-losses).sum())
        limits = torch.tensor(THRESHOLDS, device=self.hidden.device)
        lost = torch.zeros(len(THRESHOLDS), device=self.hidden.device)
        for number, top in enumerate(highest):
            mass = self._tile(number, self.hidden.dtype).sum(dim=0, dtype=torch.float32)
            lost += mass @ (top[:, None] <= limits).float()
        return next((t for t, mass in zip(THRESHOLDS, lost.tolist(), strict=True) if mass <= allowed), -1.0)
