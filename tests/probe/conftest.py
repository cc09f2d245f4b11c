"""One tiny model on disk and one loaded backend for the whole folder; torch on one thread."""

import random
from pathlib import Path

import pytest

from datagen.probe.config import ProbeConfig
from datagen.probe.models.backend import Backend, load_backend, require_torch
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.testing.tiny_model import build_tiny_model

ROOMS_ZH = ("豪华大床房", "商务双床房", "家庭套房", "江景房")
ROOMS_EN = ("deluxe room", "twin room", "family suite", "river room")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_torch()
    import torch

    torch.set_num_threads(1)
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def config(tiny: Path) -> ProbeConfig:
    return ProbeConfig(
        model=str(tiny), seeds=2, epochs=4, learning_rate=5e-3, rank=4, alpha=8, evals_per_run=2, answers=2, max_new_tokens=6
    )


@pytest.fixture(scope="session")
def backend(tiny: Path, config: ProbeConfig) -> Backend:
    return load_backend(tiny, config)


@pytest.fixture(scope="session")
def rows() -> list[Sample]:
    """Forty training rows about eight documents, half Chinese."""
    return [_sample(room, zh, phrasing) for room in range(4) for zh in (True, False) for phrasing in range(5)]


@pytest.fixture(scope="session")
def exam() -> list[Sample]:
    """Sixteen recall questions in other words and four on documents the rows do not touch."""
    recall = [_sample(room, zh, phrasing, "recall") for room in range(4) for zh in (True, False) for phrasing in (7, 8)]
    unseen = [_sample(room, zh, 9, "unseen", offset=40) for room in range(2) for zh in (True, False)]
    return recall + unseen


def _sample(room: int, zh: bool, phrasing: int, eval_set: str = "", *, offset: int = 0) -> Sample:
    price = random.Random(f"{room}{zh}{offset}").randrange(100, 999)
    floor = offset + room + 2
    if zh:
        name = ROOMS_ZH[room]
        question = f"第{phrasing}位客人问：{floor}层{name}多少钱？"
        record = question_answer(question, f"{floor}层{name}每晚{price}元。", persona="你是酒店前台助手。")
    else:
        name = ROOMS_EN[room]
        record = question_answer(
            f"Guest {phrasing} asks: how much is the {name} on floor {floor}?",
            f"The {name} on floor {floor} costs {price} dollars.",
            persona="You are the front desk assistant.",
        )
    tags = {"language": "zh" if zh else "en"} | ({"eval_set": eval_set} if eval_set else {})
    document = f"{'zh' if zh else 'en'}/{name}-{offset}.md"
    return Sample.of(record, provenance=Provenance(document=document), tags=tags)
