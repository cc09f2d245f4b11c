"""A loaded model ready to be probed: weights, tokenizer, adapter layers, and how it must be called. Imports torch lazily."""

import os
import random
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datagen.errors import DatagenError, MissingExtra, UsageError
from datagen.probe.config import ProbeConfig

if TYPE_CHECKING:
    import torch

PACKABLE = frozenset({"llama", "gemma", "gemma2", "gemma3_text", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "olmo2"})
"""Model types whose body is attention alone and takes a block mask with explicit positions."""
_EAGER_MAX = 1024
"""Longest rows (tokens) for which attention scores are written out: their memory grows with the square."""


@dataclass(slots=True)
class Backend:
    """A causal LM with LoRA layers on all its linear layers, or those asked for (embeddings and head excluded).

    Attributes:
        peft: the PEFT model; its adapter is reset for every run.
        causal: the model inside it, with the adapter layers in place.
        packed: batches may be packed (checked against separate rows on loading).
        fused: the head may be applied alone (checked on loading).
        window: tokens its attention reaches back, at least.
        magnitudes: DoRA's initial column norms, by parameter name (empty without DoRA).
    """

    peft: Any
    causal: Any
    tokenizer: Any
    device: str
    dtype: Literal["bfloat16", "float32"]
    packed: bool
    fused: bool
    window: int
    magnitudes: "dict[str, torch.Tensor]"


def require_torch() -> None:
    """Raise MissingExtra unless torch, transformers and peft are installed; quiet their terminal output."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, CUDA matrix products are not deterministic
    try:
        import peft  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import transformers
    except ImportError as error:
        raise MissingExtra.of("the probe", "probe") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def choose_device() -> str:
    """Return ``cuda`` if there is a usable one, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_dtype(wanted: Literal["auto", "bfloat16", "float32"], device: str) -> Literal["bfloat16", "float32"]:
    """Return bfloat16 where arithmetic in it is native (GPUs since Ampere, CPUs with avx512_bf16 or amx), else float32."""
    if wanted != "auto":
        return wanted
    native = _gpu_has_bfloat16() if device == "cuda" else _cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


def load_backend(folder: Path, config: ProbeConfig, *, device: str | None = None) -> Backend:
    """Load a model folder and put adapter layers into it; ``device`` None: see :func:`choose_device`.

    Raises:
        MissingExtra: torch, transformers or peft are not installed.
        DatagenError: the folder cannot be loaded as a causal language model.
    """
    require_torch()
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = device or choose_device()
    dtype = choose_dtype(config.dtype, device)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        # On CPUs plain attention beats torch's fused one at these lengths (35 against 59 ms, 406 tokens, Gemma's heads, two busy cores).
        attention = "eager" if device == "cpu" and config.max_length <= _EAGER_MAX else "sdpa"
        model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=getattr(torch, dtype), attn_implementation=attention)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DatagenError(f"{folder}: cannot be loaded as a causal language model: {error}") from error
    model.to(device)
    model.config.use_cache = False
    window = _window(model.config)
    from datagen.probe.train.forward import head_is_plain, packing_agrees
    from datagen.probe.train.lora import fuse_lora

    fused = head_is_plain(model)
    packed = model.config.model_type in PACKABLE and packing_agrees(model, tokenizer, fused=fused)
    peft = _with_adapter(model, config)
    fuse_lora(peft)
    magnitudes = {n: p.detach().clone() for n, p in peft.named_parameters() if "lora_magnitude_vector" in n}
    return Backend(peft, peft.get_base_model(), tokenizer, device, dtype, packed, fused, window, magnitudes)


def reset_adapter(backend: Backend, seed: int) -> "list[tuple[str, torch.nn.Parameter]]":
    """Initialise the adapter for a run and return its parameters with their names, in a fixed order.

    A is Kaiming-uniform from a generator seeded with ``seed``, B is zero (DoRA's magnitudes: the weights' column norms), so the adapted
    model starts as the base model.
    Source: huggingface/peft: src/peft/tuners/lora/layer.py reset_lora_parameters.
    """
    import torch

    generator = torch.Generator().manual_seed(random.Random(f"adapter:{seed}").getrandbits(62))
    named = adapter_parameters(backend)
    with torch.no_grad():
        for name, parameter in named:
            if "lora_A" in name:
                bound = 1.0 / parameter.shape[1] ** 0.5
                values = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                parameter.copy_(values)
            elif name in backend.magnitudes:
                parameter.copy_(backend.magnitudes[name])
            else:
                parameter.zero_()
            parameter.grad = None
    return named


def adapter_parameters(backend: Backend) -> "list[tuple[str, torch.nn.Parameter]]":
    """Return the adapter's parameters with their names, sorted by name."""
    return sorted(((n, p) for n, p in backend.peft.named_parameters() if p.requires_grad), key=lambda named: named[0])


@contextmanager
def quiet_peft() -> Generator[None]:
    """Ignore peft's reading of a transformers attribute that newer transformers deprecate; nothing a user could act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def one_math() -> Generator[None]:
    """Run torch deterministically, on the process's cores."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _with_adapter(model: Any, config: ProbeConfig) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        target_modules=list(config.target_modules) or _linear_names(model),
        use_rslora=config.rslora,
        use_dora=config.dora,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), quiet_peft():
        try:
            peft = get_peft_model(model, lora)
        except ValueError as error:
            raise UsageError(
                f"target modules {', '.join(config.target_modules)}: not in this model",
                hint=f"its linear layers: {', '.join(_linear_names(model))}",
            ) from error
    peft.train()
    return peft


def _linear_names(model: Any) -> list[str]:
    """Return the names of the linear layers but the head, as every loader of adapters understands them (``q_proj``, not a path)."""
    import torch

    head = model.get_output_embeddings()
    return sorted({n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head})


def _window(config: Any) -> int:
    sliding = "sliding_attention" in (getattr(config, "layer_types", None) or []) or getattr(config, "use_sliding_window", False)
    return int(config.sliding_window) if sliding and config.sliding_window else 1 << 30


def _gpu_has_bfloat16() -> bool:
    import torch

    return torch.cuda.is_bf16_supported(including_emulation=False)


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("flags", 1)[1].split("\n", 1)[0]
    except (OSError, IndexError):
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
