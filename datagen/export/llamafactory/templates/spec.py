"""What each prompt template writes around the turns: the facts of LLaMA-Factory's templates as one table.

Slots are texts with ``{{content}}``, or the tokenizer's own begin and end token. Texts are tokenized slot by slot, so borders matter.

Source: LLaMA-Factory 0.9.5: src/llamafactory/data/template.py (register_template calls), data/formatter.py
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from datagen.errors import UsageError, suggest

ToolFormat = Literal["default", "qwen", "llama3", "mistral"]
CONTENT = "{{content}}"


class Special(Enum):
    """A token of the tokenizer's own."""

    BOS = "bos"
    EOS = "eos"


BOS, EOS = Special.BOS, Special.EOS
Slots = tuple[str | Special, ...]


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """One template.

    Attributes:
        user, assistant, system, observation, function, prefix: slots of each turn; ``prefix`` stands before all.
        tool_format: how tools and calls are written.
        default_system: used where a row has none.
        stop_words: made special tokens; the first becomes the end token if ``replace_eos``.
        efficient_eos: turns carry no end token; one is put at the very end (and learned at the start of the next turn).
        fuses_system: the system text goes inside the first user turn.
        reasoning: answers without a thinking block get an empty one.
    """

    user: Slots = (CONTENT,)
    assistant: Slots = (CONTENT, EOS)
    system: Slots = (CONTENT,)
    observation: Slots = ()
    function: Slots = ()
    prefix: Slots = ()
    tool_format: ToolFormat = "default"
    default_system: str = ""
    stop_words: tuple[str, ...] = ()
    efficient_eos: bool = False
    replace_eos: bool = False
    fuses_system: bool = False
    reasoning: bool = False

    def slots(self, role: str) -> Slots:
        """Return the slots of a turn: user, assistant, observation or function."""
        if role == "user":
            return self.user
        if role == "observation":
            return self.observation or self.user
        return (self.function or self.assistant) if role == "function" else self.assistant


_CHATML_USER: Slots = ("<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",)
_CHATML_ANSWER: Slots = ("{{content}}<|im_end|>\n",)
_CHATML_SYSTEM: Slots = ("<|im_start|>system\n{{content}}<|im_end|>\n",)
_CHATML = TemplateSpec(
    user=_CHATML_USER,
    assistant=_CHATML_ANSWER,
    system=_CHATML_SYSTEM,
    observation=("<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n",),
    stop_words=("<|im_end|>", "<|im_start|>"),
    replace_eos=True,
)
_QWEN_RESULT: Slots = ("<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",)


def _qwen(*, default_system: str = "", reasoning: bool = False) -> TemplateSpec:
    return TemplateSpec(
        _CHATML_USER, _CHATML_ANSWER, _CHATML_SYSTEM, _QWEN_RESULT, tool_format="qwen", default_system=default_system,
        stop_words=("<|im_end|>",), replace_eos=True, reasoning=reasoning,
    )  # fmt: skip


def _smollm(default_system: str = "") -> TemplateSpec:
    return TemplateSpec(_CHATML_USER, _CHATML_ANSWER, _CHATML_SYSTEM, default_system=default_system, stop_words=("<|im_end|>",))


def _gemma(*stop_words: str, efficient_eos: bool = False) -> TemplateSpec:
    return TemplateSpec(
        user=("<start_of_turn>user\n{{content}}<end_of_turn>\n<start_of_turn>model\n",),
        assistant=("{{content}}<end_of_turn>\n",),
        system=("{{content}}\n\n",),
        observation=("<start_of_turn>tool\n{{content}}<end_of_turn>\n<start_of_turn>model\n",),
        prefix=(BOS,),
        stop_words=stop_words,
        efficient_eos=efficient_eos,
        replace_eos=not efficient_eos,
        fuses_system=True,
    )


def _llama3_turn(role: str) -> Slots:
    return (f"<|start_header_id|>{role}<|end_header_id|>\n\n{{{{content}}}}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",)


TEMPLATES: dict[str, TemplateSpec] = {
    "default": TemplateSpec(
        user=("Human: {{content}}", EOS, "\nAssistant:"), assistant=(CONTENT, EOS, "\n"), system=("System: {{content}}", EOS, "\n")
    ),
    "empty": TemplateSpec(assistant=(CONTENT,)),
    "alpaca": TemplateSpec(
        user=("### Instruction:\n{{content}}\n\n### Response:\n",),
        assistant=(CONTENT, EOS, "\n\n"),
        default_system=(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        ),
    ),
    "vicuna": TemplateSpec(
        user=("USER: {{content}} ASSISTANT:",),
        default_system=(
            "A chat between a curious user and an artificial intelligence assistant. "
            "The assistant gives helpful, detailed, and polite answers to the user's questions."
        ),
    ),
    "chatml": _CHATML,
    "qwen": _qwen(default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    "qwen3": _qwen(reasoning=True),
    "qwen3_nothink": _qwen(),
    "smollm": _smollm(),
    "smollm2": _smollm("You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
    "yi": _smollm(),
    "gemma": _gemma("<end_of_turn>"),
    "gemma2": _gemma("<eos>", "<end_of_turn>", efficient_eos=True),
    "gemma3": _gemma("<end_of_turn>"),
    "llama2": TemplateSpec(user=(BOS, "[INST] {{content}} [/INST]"), system=("<<SYS>>\n{{content}}\n<</SYS>>\n\n",), fuses_system=True),
    "llama3": TemplateSpec(
        user=_llama3_turn("user"),
        assistant=("{{content}}<|eot_id|>",),
        system=("<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>",),
        observation=_llama3_turn("ipython"),
        prefix=(BOS,),
        tool_format="llama3",
        stop_words=("<|eot_id|>", "<|eom_id|>"),
        replace_eos=True,
    ),
    "mistral": TemplateSpec(
        user=("[INST] {{content}}[/INST]",),
        assistant=(" {{content}}", EOS),
        system=("{{content}}\n\n",),
        observation=('[TOOL_RESULTS] {"content": {{content}}}[/TOOL_RESULTS]',),
        function=("[TOOL_CALLS] {{content}}", EOS),
        prefix=(BOS,),
        tool_format="mistral",
        fuses_system=True,
    ),
    "deepseek": TemplateSpec(user=("User: {{content}}\n\nAssistant:",), system=("{{content}}\n\n",), prefix=(BOS,)),
    "deepseek3": TemplateSpec(user=("<｜User｜>{{content}}<｜Assistant｜>",), prefix=(BOS,)),
    "deepseekr1": TemplateSpec(user=("<｜User｜>{{content}}<｜Assistant｜>",), prefix=(BOS,), reasoning=True),
    "phi": TemplateSpec(
        user=("<|user|>\n{{content}}<|end|>\n<|assistant|>\n",),
        assistant=("{{content}}<|end|>\n",),
        system=("<|system|>\n{{content}}<|end|>\n",),
        stop_words=("<|end|>",),
        replace_eos=True,
    ),
    "phi4": TemplateSpec(
        user=("<|im_start|>user<|im_sep|>{{content}}<|im_end|><|im_start|>assistant<|im_sep|>",),
        assistant=("{{content}}<|im_end|>",),
        system=("<|im_start|>system<|im_sep|>{{content}}<|im_end|>",),
        stop_words=("<|im_end|>",),
        replace_eos=True,
    ),
}  # fmt: skip
"""The templates datagen can write out; LLaMA-Factory has more, for other models."""


def template_spec(name: str) -> TemplateSpec:
    """Return a template.

    Raises:
        UsageError: datagen does not know it.
    """
    if name not in TEMPLATES:
        raise UsageError(f"datagen does not know what template '{name}' writes", hint=suggest(name, TEMPLATES))
    return TEMPLATES[name]
