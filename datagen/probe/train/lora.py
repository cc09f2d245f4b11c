"""A LoRA layer's arithmetic in four matrix products forward and backward. Imports torch at the top: import it lazily.

PEFT's layer turns its input and its output into float32 and back at every linear layer, which costs as much as the frozen product itself
when the model is small. Here the adapter's float32 weights are rounded to the model's dtype once a step and added inside the product, as
under autocast; gradients and updates stay float32. In a float32 model nothing is rounded.
"""

import types
from typing import Any, cast

import torch


def fuse_lora(model: Any) -> int:
    """Give every plain LoRA linear layer of a PEFT model the fused forward pass; return how many got it.

    Layers with dropout, DoRA or anything but one adapter keep PEFT's own.
    """
    from peft.tuners.lora import Linear

    fused = 0
    for module in model.modules():
        plain = isinstance(module, Linear) and type(module.base_layer) is torch.nn.Linear and list(module.lora_A) == ["default"]
        if not plain or module.use_dora.get("default") or type(module.lora_dropout["default"]) is not torch.nn.Identity:
            continue
        module.forward = types.MethodType(_forward, module)
        fused += 1
    return fused


def _forward(self: Any, x: torch.Tensor) -> torch.Tensor:
    base = self.base_layer
    if self.disable_adapters or self.merged:
        return cast(torch.Tensor, base(x))
    a, b = self.lora_A["default"].weight, self.lora_B["default"].weight
    flat = _LoraLinear.apply(x.reshape(-1, x.shape[-1]), base.weight, base.bias, a, b, self.scaling["default"])
    return cast(torch.Tensor, flat).view(*x.shape[:-1], base.weight.shape[0])


class _LoraLinear(torch.autograd.Function):
    """``x W^T + bias + scale (x A^T) B^T``, differentiable in x, A and B; x is [n, in]."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, a: torch.Tensor, b: torch.Tensor, scale: float
    ) -> torch.Tensor:
        a, b = a.to(x.dtype), (b * scale).to(x.dtype)
        narrow = x @ a.t()
        ctx.save_for_backward(x, weight, a, b, narrow)
        ctx.scale = scale
        return torch.addmm(torch.nn.functional.linear(x, weight, bias), narrow, b.t())

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, None, None, torch.Tensor, torch.Tensor, None]:
        x, weight, a, b, narrow = ctx.saved_tensors
        gradient = grad_outputs[0]
        inner = gradient @ b
        to_x = torch.addmm(gradient @ weight, inner, a) if ctx.needs_input_grad[0] else None
        return to_x, None, None, (inner.t() @ x).float(), (gradient.t() @ narrow).float() * ctx.scale, None
