"""``local:`` models: transformers on this machine, requests in batches, answers held to their JSON Schema while they are decoded.

Requests that arrive together form a batch (left padding, one ``generate`` call in a thread of its own). A schema is enforced token by token
with llguidance: at every step, tokens that cannot continue a valid document get probability zero. Chosen over xgrammar,
which pulls triton (1 GB): one small wheel without requirements.

Sampling is seeded by the request, but a batch's other rows change rounding, so what a rerun would decode may differ; the response store
keeps what was decoded first.
"""

import asyncio
import importlib.util
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.clients.types import ChatRequest, ChatResponse, RequestFailed
from datagen.errors import MissingExtra, ProviderError
from datagen.hashing import canonical_json

LINGER_S = 0.01
"""How long a batch waits for company."""
DEFAULT_MAX_TOKENS = 512


@dataclass(slots=True)
class _Waiting:
    request: ChatRequest
    answer: "asyncio.Future[ChatResponse]"


class LocalClient:
    """A client over a model folder in transformers layout. Used in one event loop at a time.

    Args:
        folder: config, tokenizer and weights.
        batch_size: most requests decoded at once.

    Raises:
        MissingExtra: torch, transformers or llguidance is not installed.
        ProviderError: on the first request, if the folder cannot be loaded.
    """

    def __init__(self, folder: Path, *, batch_size: int) -> None:
        if not all(importlib.util.find_spec(name) for name in ("llguidance", "torch", "transformers")):
            raise MissingExtra.of("local: models", "local")
        self._folder = folder
        self._batch_size = max(1, batch_size)
        self._queue: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._model: Any = None

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Decode one completion, together with the other requests that wait.

        Raises:
            RequestFailed: the prompt does not fit the model's context.
        """
        answer = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.ensure_future(self._work())
        return await answer

    async def drain(self) -> None:
        """Drop what is not being decoded and wait for the batch that is."""
        for waiting in self._queue:
            waiting.answer.cancel()
        self._queue.clear()
        if self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    async def aclose(self) -> None:
        """Drain and let the weights go."""
        await self.drain()
        self._model = None

    async def _work(self) -> None:
        await asyncio.sleep(LINGER_S)
        while self._queue:
            batch = self._next_batch()
            try:
                if self._model is None:
                    self._model = await asyncio.to_thread(_Model, self._folder)
                answers = await asyncio.to_thread(self._model.generate, [w.request for w in batch])
            except (ProviderError, RuntimeError, MemoryError) as error:
                for waiting in batch:
                    if not waiting.answer.done():
                        waiting.answer.set_exception(self._explain(error))
                continue
            for waiting, answer in zip(batch, answers, strict=True):
                if waiting.answer.done():
                    continue
                if isinstance(answer, ProviderError):
                    waiting.answer.set_exception(answer)
                else:
                    waiting.answer.set_result(answer)

    def _explain(self, error: Exception) -> ProviderError:
        """Torch raises RuntimeError for want of memory among others; one batch failed, the next may fit."""
        if isinstance(error, ProviderError):
            return error
        said = " ".join(str(error).split())[:200]
        return ProviderError(f"local model {self._folder}: {said}", hint="lower --concurrency, which is the batch size here")

    def _next_batch(self) -> list[_Waiting]:
        """Take the oldest request and up to ``batch_size`` - 1 others with the same parameters."""
        first = self._queue[0].request.parameters
        batch = [w for w in self._queue if w.request.parameters == first and not w.answer.done()][: self._batch_size]
        taken = {id(w) for w in batch}
        self._queue = deque(w for w in self._queue if id(w) not in taken and not w.answer.done())
        return batch


class _Model:
    """Weights, tokenizer and the constraint's view of the vocabulary."""

    def __init__(self, folder: Path) -> None:
        import llguidance.hf
        import torch
        import transformers

        on_gpu = torch.cuda.is_available()
        transformers.logging.disable_progress_bar()
        try:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
            self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            hint = "a folder in transformers layout is needed"
            raise ProviderError(f"local model {folder} cannot be loaded: {said}", hint=hint) from error
        self.model.eval()
        if on_gpu:
            self.model.cuda()
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.vocabulary = int(self.model.get_output_embeddings().weight.shape[0])
        self.guide: Any = llguidance.hf.from_tokenizer(self.tokenizer, n_vocab=self.vocabulary)
        self.window = int(getattr(self.model.config, "max_position_embeddings", 0) or 1 << 30)

    def generate(self, requests: Sequence[ChatRequest]) -> "list[ChatResponse | ProviderError]":
        """Decode a batch; a request whose prompt does not fit comes back as an error of its own."""
        import torch

        parameters = requests[0].parameters
        most = parameters.max_tokens or DEFAULT_MAX_TOKENS
        prompts = [self._prompt(r) for r in requests]
        lengths = [len(self.tokenizer(p, add_special_tokens=False).input_ids) for p in prompts]
        fitting = [i for i, n in enumerate(lengths) if n + 1 < self.window]
        answers: list[ChatResponse | ProviderError] = [
            RequestFailed(f"the prompt has {n} tokens, local model {r.model} takes {self.window}", hint="use smaller chunks: --max-tokens")
            for r, n in zip(requests, lengths, strict=True)
        ]
        if not fitting:
            return answers
        inputs = self.tokenizer([prompts[i] for i in fitting], return_tensors="pt", padding=True, add_special_tokens=False)
        inputs = inputs.to(self.model.device)
        width = int(inputs.input_ids.shape[1])
        most = min(most, self.window - width)
        constraint = _Constraint(self.guide, [requests[i].schema for i in fitting], width, self._ends())
        sampling: dict[str, Any] = {"do_sample": False}
        if parameters.temperature:
            sampling = {"do_sample": True, "temperature": parameters.temperature, "top_p": 1.0, "top_k": 0}
        seed = parameters.seed if parameters.seed is not None else int(requests[fitting[0]].key()[:8], 16)
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            output = self.model.generate(
                **inputs, max_new_tokens=most, logits_processor=[constraint], pad_token_id=self.tokenizer.pad_token_id, **sampling
            )
        for row, i in enumerate(fitting):
            answers[i] = self._read(output[row, width:].tolist(), requests[i], lengths[i], most)
        return answers

    def _read(self, tokens: list[int], request: ChatRequest, n_prompt: int, most: int) -> ChatResponse:
        ends = [i for i, token in enumerate(tokens) if token in self._ends()]
        said = tokens[: ends[0]] if ends else tokens
        text = self.tokenizer.decode(said, skip_special_tokens=True)
        finish = "stop" if ends or len(said) < most else "length"
        return ChatResponse(text, finish, n_prompt, len(said), request.model)

    def _ends(self) -> list[int]:
        ends: Any = self.model.generation_config.eos_token_id
        found = list(ends) if isinstance(ends, list | tuple) else [ends] if ends is not None else []
        return [*found, *([self.tokenizer.eos_token_id] if self.tokenizer.eos_token_id is not None else [])]

    def _prompt(self, request: ChatRequest) -> str:
        if self.tokenizer.chat_template:
            messages = [{"role": m.role, "content": m.content} for m in request.messages]
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        return str(self.tokenizer.bos_token or "") + "\n\n".join(m.content for m in request.messages) + "\n\n"


class _Constraint:
    """A logits processor: rows with a schema can only continue towards a document of that schema, and end when it is complete."""

    def __init__(self, guide: Any, schemas: Sequence[Any], start: int, ends: list[int]) -> None:
        from llguidance import LLMatcher

        self._matchers: list[Any] = []
        for schema in schemas:
            grammar = schema and LLMatcher.grammar_from_json_schema(canonical_json(schema).decode(), {"whitespace_flexible": False})
            self._matchers.append(LLMatcher(guide, grammar) if grammar else None)
        self._start = start
        self._ends = ends

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        for row, matcher in enumerate(self._matchers):
            if matcher is None:
                continue
            if input_ids.shape[1] > self._start and not matcher.is_stopped():
                matcher.consume_token(int(input_ids[row, -1]))
            if matcher.is_stopped() or matcher.is_error():
                scores[row, :] = -torch.inf
                scores[row, self._ends[0]] = 0
                continue
            mask = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
            bits = (mask.unsqueeze(1) >> torch.arange(8, dtype=torch.uint8)) & 1
            allowed = bits.reshape(-1)[: scores.shape[1]].bool().to(scores.device)
            scores[row, : allowed.shape[0]].masked_fill_(~allowed, -torch.inf)
            scores[row, allowed.shape[0] :] = -torch.inf
        return scores
