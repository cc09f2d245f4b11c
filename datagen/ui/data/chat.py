"""Base model and adapters that answer a question, token by token. Torch loads only when the first question is asked."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.errors import DataError, DatagenError
from datagen.jsonl import read_json
from datagen.probe.store.losses import read_losses
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.workspace import Workspace

MAX_NEW_TOKENS = 200
MAX_PROMPT_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Adapter:
    """A trained adapter on disk; ``model`` is the base it was trained on, as it was named then."""

    name: str
    folder: Path
    model: str


def find_adapters(workspace: Workspace) -> list[Adapter]:
    """Return adapters of finished iterations (seed 0 of the probe), then those under ``saves/``, checkpoints by step included."""
    found: list[Adapter] = []
    for number in workspace.iteration_numbers():
        folder = workspace.iteration(number) / "probe"
        run = _probe_run(folder)
        place = workspace.probe_runs / run / "adapter"
        if run and (place / "adapter_config.json").is_file():
            found.append(Adapter(f"v{number}", place, str(read_json(folder / "result.json")["model"])))
    for config in sorted((workspace.root / "saves").rglob("adapter_config.json"), key=_by_step):
        base = str(read_json(config).get("base_model_name_or_path", ""))
        found.append(Adapter(str(config.parent.relative_to(workspace.root / "saves")), config.parent, base))
    return found


def loss_by_step(workspace: Workspace, number: int) -> list[tuple[float, float]]:
    """Return (training step, exam loss in nats per answer token) of an iteration's probe, all seeds together.

    Step 0 is the untrained model.
    """
    path = workspace.iteration(number) / "probe" / "losses.parquet"
    if not path.is_file():
        return []
    sums: dict[int, tuple[float, int]] = {}
    for row in read_losses(path):
        if row.arm in ("base", "new"):
            nll, tokens = sums.get(row.step, (0.0, 0))
            sums[row.step] = (nll + row.nll, tokens + row.n_tokens)
    return [(float(step), nll / tokens) for step, (nll, tokens) in sorted(sums.items()) if tokens]


def _by_step(path: Path) -> list[tuple[str, int]]:
    """Order ``checkpoint-200`` before ``checkpoint-1000``."""
    return [(re.sub(r"\d+", "", part), int((re.findall(r"\d+", part) or ["0"])[-1])) for part in path.parent.parts]


def _probe_run(folder: Path) -> str:
    """Return the key of the new arm's first run, '' if the probe has not been run."""
    path = folder / "losses.parquet"
    if not path.is_file() or not (folder / "result.json").is_file():
        return ""
    return next((row.run for row in read_losses(path) if row.arm == "new" and row.seed == 0), "")


@dataclass
class Chat:
    """One base model in memory with the adapters that were asked for. Answers are given one at a time."""

    model: str
    _loaded: Any = field(default=None, repr=False)
    _tokenizer: Any = field(default=None, repr=False)
    _names: dict[Path, str] = field(default_factory=dict[Path, str])
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def answer(self, question: str, adapter: Adapter | None, *, persona: str = "", max_new_tokens: int = MAX_NEW_TOKENS) -> Iterator[str]:
        """Yield the answer piece by piece, greedily; ``adapter`` None asks the untrained model. Blocks: call it in a thread.

        Raises:
            MissingExtra: torch, transformers or peft is not installed.
            DataError: the adapter does not fit the model.
        """
        with self._turn:
            self._load()
            yield from self._generate(question, adapter, persona, max_new_tokens)

    def _load(self) -> None:
        if self._loaded is not None:
            return
        from datagen.probe.models.backend import choose_device, choose_dtype, require_torch
        from datagen.probe.models.known import resolve_model

        require_torch()
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = choose_device()
        dtype = choose_dtype("auto", device)
        folder = resolve_model(self.model).prepare(dtype)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(folder))
            model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=getattr(torch, dtype))
        except (OSError, ValueError, KeyError) as error:
            raise DatagenError(f"{folder}: cannot be loaded as a causal language model: {error}") from error
        self._loaded = model.to(device).eval()

    def _with(self, adapter: Adapter) -> Any:
        import warnings

        from peft import PeftModel

        try:
            with warnings.catch_warnings():
                # peft reads a transformers attribute that newer transformers deprecate; nothing a user could act on.
                warnings.simplefilter("ignore", FutureWarning)
                if not self._names:
                    self._loaded = PeftModel.from_pretrained(self._loaded, str(adapter.folder), adapter_name="a0").eval()
                    self._names[adapter.folder] = "a0"
                elif adapter.folder not in self._names:
                    name = f"a{len(self._names)}"
                    self._loaded.load_adapter(str(adapter.folder), adapter_name=name)
                    self._names[adapter.folder] = name
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{adapter.folder}: not an adapter for {self.model}: {error!s:.200}") from error
        self._loaded.set_adapter(self._names[adapter.folder])
        return self._loaded

    def _generate(self, question: str, adapter: Adapter | None, persona: str, max_new_tokens: int) -> Iterator[str]:
        from contextlib import nullcontext

        import torch
        from transformers import TextIteratorStreamer

        from datagen.probe.data.encode import encode

        # The prompt exactly as the probe trains on it; the answer is cut off.
        sample = Sample.of(question_answer(question, "…", persona=persona))
        example = encode([sample], self._tokenizer, max_length=MAX_PROMPT_TOKENS).examples[0]
        prompt = torch.tensor([list(example.ids[: example.learned.index(True)])], device=self._loaded.device)
        model = self._with(adapter) if adapter else self._loaded
        base = model.disable_adapter() if adapter is None and self._names else nullcontext()
        vocabulary = self._tokenizer.get_vocab()
        stops = [vocabulary[t] for t in ("<end_of_turn>", "<|im_end|>", "<|eot_id|>") if t in vocabulary]
        if self._tokenizer.eos_token_id is not None:
            stops.append(self._tokenizer.eos_token_id)
        streamer: Any = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        failed: list[BaseException] = []

        def work() -> None:
            try:
                with torch.no_grad():
                    model.generate(
                        input_ids=prompt,
                        attention_mask=torch.ones_like(prompt),
                        max_new_tokens=max_new_tokens,
                        do_sample=False,
                        top_p=None,
                        top_k=None,
                        temperature=None,
                        streamer=streamer,
                        eos_token_id=sorted(set(stops)),
                        pad_token_id=stops[0] if stops else 0,
                    )
            except BaseException as error:
                failed.append(error)
                streamer.end()
                raise

        with base:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            yield from (piece for piece in streamer if piece)
            thread.join()
        if failed:
            raise DatagenError(f"{self.model} failed to answer: {failed[0]}") from failed[0]
