"""Who answers: the base model, PEFT adapters on it, and whole checkpoints, each under a short name. Imports torch lazily."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError, UsageError
from datagen.jsonl import read_json
from datagen.probe.models.backend import choose_device, choose_dtype, quiet_peft, require_torch
from datagen.probe.models.known import resolve_model


@dataclass(slots=True)
class Engine:
    """One loaded model; with adapters it is a PEFT model, and ``speaking`` switches between them."""

    model: Any
    tokenizer: Any
    device: str
    adapters: bool = False

    @contextmanager
    def speaking(self, adapter: str) -> Generator[Any]:
        """Give the model with this adapter active, or with none for ''."""
        if not self.adapters:
            yield self.model
        elif adapter:
            self.model.set_adapter(adapter)
            yield self.model
        else:
            with self.model.disable_adapter():
                yield self.model


@dataclass(frozen=True, slots=True)
class Speaker:
    """A name and how to make it speak; ``adapter`` is '' for a model as it is."""

    name: str
    engine: Engine
    adapter: str = ""


def load_speakers(model: str, folders: Sequence[Path], *, with_base: bool = True) -> list[Speaker]:
    """Load the base model once and everything named beside it.

    Args:
        model: name or folder of the base model; '' takes the one the first adapter was trained on.
        folders: PEFT adapters (``adapter_config.json``), checkpoints (``config.json``), or folders that hold some of them
            (``checkpoint-100``, ``checkpoint-200``, a probe run's ``adapter``).
        with_base: also let the untrained base model speak, first.

    Raises:
        UsageError: nothing to load in a folder, or no speaker at all.
        DataError: an adapter does not fit the base model.
        MissingExtra: torch, transformers or peft is not installed.
    """
    require_torch()
    found = [path for folder in folders for path in expand(folder)]
    adapters = [p for p in found if (p / "adapter_config.json").is_file()]
    names = dict(zip(found, short_names(found), strict=True))
    speakers: list[Speaker] = []
    if with_base or adapters:
        base = _load(resolve_model(model or _base_of(adapters)).prepare(choose_dtype("auto", choose_device())))
        for number, path in enumerate(adapters):
            _add(base, path, f"a{number}")
        speakers += [Speaker("base", base)] if with_base else []
    for path in found:
        if path in adapters:
            speakers.append(Speaker(names[path], base, f"a{adapters.index(path)}"))  # pyright: ignore[reportPossiblyUnboundVariable]
        else:
            speakers.append(Speaker(names[path], _load(path)))
    if not speakers:
        raise UsageError("nobody to talk to", hint="give --adapter DIR, or leave --no-base out")
    return speakers


def expand(folder: Path) -> list[Path]:
    """Return the adapter or checkpoint in a folder, or all those directly below it, ``checkpoint-N`` by number.

    Raises:
        UsageError: none there.
    """
    if _loadable(folder):
        return [folder]
    below = [p for p in folder.iterdir() if p.is_dir() and _loadable(p)] if folder.is_dir() else []
    if not below:
        hint = "give a folder with adapter_config.json or config.json, or one that holds checkpoint-N folders"
        raise UsageError(f"{folder}: neither an adapter nor a model", hint=hint)
    return sorted(below, key=lambda p: (int(m[1]) if (m := re.search(r"(\d+)$", p.name)) else 0, p.name))


def short_names(folders: Sequence[Path]) -> list[str]:
    """Name folders by their last part, with as many parts before it as are needed to tell them apart; ``base`` is taken."""
    for depth in range(1, 64):
        names = ["/".join(p.resolve().parts[-depth:]) for p in folders]
        if len({*names, "base"}) == len(names) + 1:
            return names
    raise UsageError("the same folder is given twice", hint="give each adapter once")


def _base_of(adapters: Sequence[Path]) -> str:
    """Return the model the first adapter was trained on if it is a folder that exists, else the embedded default."""
    if adapters:
        named = str(read_json(adapters[0] / "adapter_config.json").get("base_model_name_or_path") or "")
        if (Path(named) / "config.json").is_file():
            return named
    return "gemma3-270m"


def _loadable(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file() or (folder / "config.json").is_file()


def _load(folder: Path) -> Engine:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = choose_device()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=getattr(torch, choose_dtype("auto", device)))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"{folder}: cannot be loaded as a causal language model: {error}") from error
    return Engine(model.to(device).eval(), tokenizer, device)


def _add(engine: Engine, folder: Path, name: str) -> None:
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with quiet_peft():
            if engine.adapters:
                engine.model.load_adapter(str(folder), adapter_name=name)
            else:
                engine.model = cast(Any, PeftModel).from_pretrained(engine.model, str(folder), adapter_name=name)
                engine.adapters = True
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise DataError(f"{folder}: not an adapter for this base model: {error}", hint="name its own base model with --model") from error
    engine.model.eval()
