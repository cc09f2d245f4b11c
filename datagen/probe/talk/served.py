"""A tuned model as one folder that any server loads: weights merged, chat template and stop tokens as in training. Imports torch lazily."""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from datagen.errors import MissingExtra, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import read_json, write_bytes, write_json
from datagen.probe.data.render import BASE_TEMPLATE
from datagen.probe.measure.answers import stop_tokens
from datagen.probe.models.known import hash_folder, resolve_model
from datagen.probe.models.merge import merge_adapter

EngineName = Literal["transformers", "vllm"]


def chat_template(tokenizer: Any) -> str:
    """Return the template a model was trained with: its own, or the one that says what ``render`` writes for a base model."""
    return str(tokenizer.chat_template or BASE_TEMPLATE)


def model_or_adapter(spec: str, *, on_note: Callable[[str], None] | None = None) -> Path:
    """Return the folder that ``spec`` names: itself, or the weights of a model that comes as a package (``gemma3-270m``).

    Raises:
        UsageError: neither a folder nor a known name.
        MissingExtra: a package needed for it is not installed.
    """
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return folder
    from datagen.probe.models.backend import choose_device, choose_dtype, require_torch

    require_torch()
    return resolve_model(spec).prepare(choose_dtype("auto", choose_device()), on_note=on_note)


def served_folder(adapter: Path, cache: Path, *, model: str = "", on_note: Callable[[str], None] | None = None) -> Path:
    """Return a folder below ``cache`` that a server can load, made the first time, named by the adapter's and the base model's content.

    Args:
        adapter: a PEFT adapter, or a whole model's folder.
        model: base model; '' is the one the adapter names.

    Raises:
        UsageError: neither an adapter nor a model, or its base model cannot be found.
        DataError: the adapter does not fit the base model.
        MissingExtra: torch, transformers or peft is not installed.
    """
    from datagen.probe.models.backend import choose_device, choose_dtype, require_torch

    require_torch()
    dtype = choose_dtype("auto", choose_device())
    is_adapter = (adapter / "adapter_config.json").is_file()
    if is_adapter:
        named = model or str(read_json(adapter / "adapter_config.json").get("base_model_name_or_path") or "")
        source = resolve_model(named).sha256 if named else ""
    elif (adapter / "config.json").is_file():
        source = ""
    else:
        raise UsageError(f"{adapter}: neither an adapter nor a model", hint="give a folder with adapter_config.json or config.json")
    target = cache / f"model-{fingerprint([hash_folder(adapter), source, dtype, BASE_TEMPLATE])[:12]}"
    if (target / "config.json").is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=cache, prefix=f".{target.name}."))
    try:
        if on_note:
            on_note(f"preparing {target}")
        if is_adapter:
            merge_adapter(adapter, temporary, base=model or None, dtype=dtype)
        else:
            shutil.copytree(adapter, temporary, dirs_exist_ok=True)
        _speak_as_trained(temporary)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def server_command(folder: Path, *, engine: EngineName | None, host: str, port: int) -> list[str]:
    """Return the command that serves ``folder`` when run in its parent folder; the model's name in requests is the folder's name.

    vLLM is taken if it is installed, else ``transformers serve``.

    Raises:
        MissingExtra: the server is not installed.
    """
    chosen: EngineName = engine or ("vllm" if importlib.util.find_spec("vllm") else "transformers")
    if chosen == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtra("vLLM is not installed", hint="pip install vllm, or --engine transformers")
        start = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", folder.name]
        return [*start, "--host", host, "--port", str(port), "--served-model-name", folder.name]
    if any(importlib.util.find_spec(name) is None for name in ("transformers", "fastapi", "uvicorn")):
        raise MissingExtra.of("serving with transformers", "serve")
    start = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", folder.name]
    return [*start, "--host", host, "--port", str(port)]


def listing_cache(folder: Path) -> Path:
    """Return a Hugging Face cache, made beside ``folder``, that holds this model's configuration alone.

    ``transformers serve`` answers ``/v1/models`` from the cache it finds (``HF_HUB_CACHE``), and with an error where there is none.
    """
    cache = folder.parent / f"listed-{folder.name}"
    model = cache / f"models--{folder.name}"
    if not (model / "refs" / "main").is_file():
        revision = fingerprint([folder.name])[:40]
        write_bytes(model / "snapshots" / revision / "config.json", (folder / "config.json").read_bytes())
        write_bytes(model / "refs" / "main", revision.encode())
    return cache


def _speak_as_trained(folder: Path) -> None:
    """Give a model folder the chat template and the stop tokens it was trained with."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.chat_template = chat_template(tokenizer)
    tokenizer.save_pretrained(folder)
    path = folder / "generation_config.json"
    settings = read_json(path) if path.is_file() else {}
    write_json(path, {**settings, "eos_token_id": stop_tokens(tokenizer), "do_sample": False})
