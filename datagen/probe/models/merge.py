"""Merging: ``W' = W + scale B A``, a model that needs no peft. Imports torch lazily.

The merged model is loaded again from disk with plain transformers and its logits are compared with those of base plus adapter, both in
float32, on Chinese and English text.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from datagen.errors import DataError, UsageError
from datagen.jsonl import read_json
from datagen.probe.models.backend import quiet_peft, require_torch
from datagen.probe.models.catalogue import Dtype
from datagen.probe.models.known import resolve_model

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4
"""Largest difference of a logit that float32 arithmetic in another order explains."""

_TEXTS = (
    "Breakfast is served from 7:00 to 10:30 on the second floor; guests who did not book it pay 25 dollars.",
    "早餐供应时间为7:00至10:30，地点在二楼餐厅，未含早餐的客人每位收费68元。",
)


class Merged(BaseModel):
    """What was written: ``max_difference`` of any logit from base plus adapter, in float32; ``as_saved`` after rounding to ``dtype``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: str
    base: str
    out: str
    dtype: Dtype
    max_difference: float
    as_saved: float
    within_tolerance: bool


def merge_adapter(adapter: Path, out: Path, *, base: str | None = None, dtype: Dtype = "float32") -> Merged:
    """Merge a PEFT adapter into its base model and write a plain transformers folder.

    Args:
        adapter: a folder in PEFT's format, such as a probe run's ``adapter``.
        out: a folder that does not exist or is empty.
        base: name or path of the base model; None: the one the adapter names.
        dtype: of the weights written.

    Raises:
        UsageError: ``adapter`` is no adapter, ``out`` is not empty, or the base model cannot be found.
        DataError: the adapter does not fit the model.
        MissingExtra: torch, transformers or peft is not installed.
    """
    config = adapter / "adapter_config.json"
    if not config.is_file():
        raise UsageError(f"{adapter}: no adapter_config.json in this folder", hint="give an adapter in PEFT's format")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out}: exists and is not empty", hint="choose another folder with -o")
    named = base or str(read_json(config).get("base_model_name_or_path") or "")
    if not named:
        raise UsageError(f"{config}: names no base model", hint="give it with --model")
    require_torch()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = resolve_model(named).prepare(dtype)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    ids = [torch.tensor([tokenizer(text)["input_ids"]]) for text in _TEXTS]
    model = _with_adapter(AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32), adapter)
    expected = [_logits(model, i) for i in ids]
    merged: Any = model.merge_and_unload()
    exact = max(float((_logits(merged, i) - e).abs().max()) for i, e in zip(ids, expected, strict=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        merged.to(getattr(torch, dtype)).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        temporary.chmod(0o755)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    again: Any = AutoModelForCausalLM.from_pretrained(str(out), dtype=torch.float32)
    saved = max(float((_logits(again, i) - e).abs().max()) for i, e in zip(ids, expected, strict=True))
    return Merged(
        adapter=str(adapter),
        base=str(folder),
        out=str(out),
        dtype=dtype,
        max_difference=exact,
        as_saved=saved,
        within_tolerance=exact <= TOLERANCE and (dtype != "float32" or saved <= TOLERANCE),
    )


def _with_adapter(model: Any, adapter: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with quiet_peft():
            return PeftModel.from_pretrained(model, str(adapter)).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{adapter}: not an adapter for this model: {error}") from error


def _logits(model: Any, ids: "torch.Tensor") -> "torch.Tensor":
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=ids, use_cache=False).logits
