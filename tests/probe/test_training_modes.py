"""Checkpoints, early stopping, averaging, LoRA's variants, preferences and plain texts on the tiny model."""

from collections.abc import Callable
from math import log
from pathlib import Path

import pytest
import torch

from datagen.errors import DataError
from datagen.probe import run_probe
from datagen.probe.config import ProbeConfig
from datagen.probe.data.encode import Example, encode
from datagen.probe.models.adapter import load_adapter
from datagen.probe.models.backend import Backend, adapter_parameters, load_backend, reset_adapter
from datagen.probe.store.runs import CHECKPOINT
from datagen.probe.train.evaluate import dev_half, evaluate, evaluate_base, reference_losses
from datagen.probe.train.loop import Task, Trained, train_run
from datagen.probe.train.optimizer import WeightAverage, build_optimizer, schedule, set_rate
from datagen.schemas.record import Message, PreferenceRecord, TextRecord, question_answer
from datagen.schemas.sample import Provenance, Sample


class _Killed(Exception):
    pass


@pytest.fixture(scope="module")
def examples(backend: Backend, rows: list[Sample]) -> list[Example]:
    return encode(rows, backend.tokenizer, max_length=256).examples


@pytest.fixture(scope="module")
def questions(backend: Backend, exam: list[Sample]) -> list[Example]:
    return encode(exam, backend.tokenizer, max_length=256).examples


def _run(backend: Backend, task: Task, folder: Path | None = None, on_step: Callable[[int], None] | None = None) -> Trained:
    return train_run(backend, task, folder=folder, on_step=on_step)


def _weights(backend: Backend) -> list[torch.Tensor]:
    return [p.detach().clone() for _, p in adapter_parameters(backend)]


@pytest.mark.parametrize(
    "change", [{}, {"average": 0.5}, {"patience": 3}, {"dropout": 0.1}], ids=["plain", "averaged", "patient", "dropout"]
)
def test_a_killed_run_goes_on_bit_identically(
    tiny: Path, config: ProbeConfig, examples: list[Example], questions: list[Example], tmp_path: Path, change: dict[str, float]
) -> None:
    settings = config.model_copy(update={"evals_per_run": 4, **change})
    backend = load_backend(tiny, settings)
    task = Task(examples, questions, settings, 0, 12)
    whole = _run(backend, task)
    expected = _weights(backend)

    def kill(step: int) -> None:
        if step == 8:
            raise _Killed

    with pytest.raises(_Killed):
        _run(backend, task, tmp_path, kill)
    assert (tmp_path / CHECKPOINT).is_file()
    steps: list[int] = []
    again = _run(backend, task, tmp_path, steps.append)
    assert steps[0] == 6  # the evaluation before step 8
    assert all(torch.equal(a, b) for a, b in zip(_weights(backend), expected, strict=True))
    assert (again.evals, again.train_losses, again.tokens) == (whole.evals, whole.train_losses, whole.tokens)


def test_a_damaged_checkpoint_is_named(
    backend: Backend, config: ProbeConfig, examples: list[Example], questions: list[Example], tmp_path: Path
) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"torn")
    with pytest.raises(DataError, match=r"checkpoint\.pt: a damaged checkpoint") as caught:
        _run(backend, Task(examples, questions, config, 0, 2), tmp_path)
    assert "delete this file" in caught.value.hint


def test_early_stopping_scores_the_best_checkpoint_on_the_other_half(
    backend: Backend, config: ProbeConfig, rows: list[Sample], questions: list[Example]
) -> None:
    # A word that answers no question of the exam: once the end token is learned, every step leads away from the exam.
    useless = [question_answer(f"{n}号房？", "火" * 12) for n in range(len(rows))]
    examples = encode([Sample.of(r, provenance=Provenance(document="a.md")) for r in useless], backend.tokenizer, max_length=256).examples
    diverging = config.model_copy(update={"learning_rate": 0.05, "schedule": "constant", "patience": 2, "evals_per_run": 10})
    trained = _run(backend, Task(examples, questions, diverging, 0, 30))
    assert trained.stopped
    assert trained.best_step < trained.steps < 30
    held = {e.id for e in dev_half(questions, "recall")}
    assert {i.example.id for i in trained.evals[0][1]} == held
    assert {i.example.id for i in trained.evals[-1][1]} == {e.id for e in questions} - held
    assert trained.evals[-1][0] == trained.best_step
    assert trained.evals[-1][1] == evaluate(backend, [e for e in questions if e.id not in held], config=diverging)


def test_dev_half_halves_every_document(questions: list[Example]) -> None:
    half = dev_half(questions, "recall")
    recall = [e for e in questions if e.eval_set == "recall"]
    assert {e.eval_set for e in half} == {"recall"}  # other sets choose nothing and are read whole
    assert len(half) == len(recall) // 2
    assert {e.document for e in half} == {e.document for e in recall}
    assert dev_half(questions[::-1], "recall") == half[::-1]


def test_the_best_checkpoint_is_kept_when_it_is_not_the_last(
    backend: Backend, config: ProbeConfig, examples: list[Example], questions: list[Example]
) -> None:
    diverging = config.model_copy(update={"learning_rate": 1.0, "schedule": "constant", "evals_per_run": 6})
    trained = _run(backend, Task(examples, questions, diverging, 0, 12))
    means = [sum(i.nll for i in items if i.example.eval_set == "recall") for _, items in trained.evals]
    assert trained.best_step == trained.evals[means.index(min(means))][0]
    assert bool(trained.best) == (trained.best_step != 12)


def test_schedule_and_lora_plus_rates(backend: Backend) -> None:
    assert [schedule(s, 20) for s in (0, 1, 19)] == [1.0, 1.0, 1 / 19]
    assert [schedule(s, 100) for s in (0, 4, 5)] == [0.2, 1.0, 1.0]
    assert schedule(99, 100, "constant") == 1.0
    config = ProbeConfig(learning_rate=1e-3, lora_plus_ratio=16)
    optimizer = build_optimizer(adapter_parameters(backend), config)
    set_rate(optimizer, 4, 100, config)
    assert [g["lr"] for g in optimizer.param_groups] == [1e-3, 1.6e-2]
    names = {id(p): n for n, p in adapter_parameters(backend)}
    assert all("lora_B" in names[id(p)] for p in optimizer.param_groups[1]["params"])


def test_average_is_the_mean_of_the_last_weights() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    average = WeightAverage(0.5, 4)
    for step in range(1, 5):
        with torch.no_grad():
            parameter.fill_(float(step))
        average.update(step, [("w", parameter)])
    average.apply([("w", parameter)])
    assert parameter.item() == 3.5


@pytest.mark.parametrize(
    "change", [{"dora": True}, {"rslora": True}, {"target_modules": ("q_proj", "v_proj")}, {"dropout": 0.1}, {"lora_plus_ratio": 16.0}]
)
def test_lora_s_variants_start_as_the_base_model_train_and_reload(
    tiny: Path, config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path, change: dict[str, object]
) -> None:
    chosen = config.model_copy(update={**change, "learning_rate": 2e-3})
    own = load_backend(tiny, chosen)
    train, asked = (encode(s, own.tokenizer, max_length=256).examples for s in (rows[:16], exam))
    reset_adapter(own, 1)
    base = evaluate_base(own, asked, config=chosen)
    fresh = evaluate(own, asked, config=chosen)
    assert sum(i.nll for i in fresh) == pytest.approx(sum(i.nll for i in base), rel=1e-3)
    trained = _run(own, Task(train, asked, chosen, 0, 6))
    score = [i.nll for i in trained.evals[-1][1]]
    assert sum(score) < sum(i.nll for i in base)
    own.peft.save_pretrained(tmp_path)
    reset_adapter(own, 5)
    load_adapter(own, tmp_path)
    assert [i.nll for i in evaluate(own, asked, config=chosen)] == score


def _preference(floor: int, *, phrasing: str = "{}层多少钱？", eval_set: str = "") -> Sample:
    ask = Message(role="user", content=phrasing.format(floor))
    good = Message(role="assistant", content=f"{floor}层客房每晚{300 + floor}元。")
    bad = Message(role="assistant", content="不知道。")
    tags = {"language": "zh"} | ({"eval_set": eval_set} if eval_set else {})
    record = PreferenceRecord(prompt=(ask,), chosen=good, rejected=bad)
    return Sample.of(record, provenance=Provenance(document=f"floor{floor % 4}.md"), tags=tags)


def test_preferences_start_at_ln_2_and_fall(config: ProbeConfig, tmp_path: Path) -> None:
    chosen = config.model_copy(update={"stage": "dpo", "answers": 1, "epochs": 3.0})
    rows = [_preference(f) for f in range(16)]
    exam = [_preference(f, phrasing="请问{}层客房的价格？", eval_set="recall") for f in range(16)]
    result = run_probe(rows, exam, baseline=None, config=chosen, runs_dir=tmp_path / "runs", allow_leaks=True, out_dir=tmp_path / "out")
    headline = result.headline()
    assert headline.baseline_loss == pytest.approx(log(2), abs=0.01)
    assert headline.new_loss < 0.6
    assert (headline.items, headline.tokens, headline.documents) == (16, 16, 4)
    # references of train rows and exam, computed once
    assert len(list((tmp_path / "runs" / "references").glob("*.json"))) == 2
    with pytest.raises(DataError, match="row 1: a conversation record has no chosen and rejected answers"):
        run_probe(
            _conversations(), exam, baseline=None, config=chosen, runs_dir=tmp_path / "runs", allow_leaks=True, out_dir=tmp_path / "out"
        )


def _conversations() -> list[Sample]:
    return [Sample.of(question_answer("几点退房？", "中午12点。"))]


def test_dpo_loss_is_the_formula(backend: Backend, config: ProbeConfig) -> None:
    pairs = encode([_preference(f) for f in range(3)], backend.tokenizer, max_length=256, stage="dpo").examples
    reset_adapter(backend, 2)
    with torch.no_grad():
        for name, p in adapter_parameters(backend):
            if "lora_B" in name:
                p.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
    references = reference_losses(backend, pairs, config=config)
    found = evaluate(backend, pairs, config=config, references=references)
    for pair, item in zip(pairs, found, strict=True):
        assert pair.rejected is not None
        chosen, rejected = (i.nll for i in evaluate(backend, [_alone(pair), pair.rejected], config=config))
        before = references[pair.id]
        margin = config.beta * ((before[0] - chosen) - (before[1] - rejected))
        assert item.nll == pytest.approx(log(1 + 2.718281828459045**-margin), abs=0.02)


def _alone(pair: Example) -> Example:
    from dataclasses import replace

    return replace(pair, rejected=None)


def test_texts_are_cut_into_pieces_and_nothing_is_lost(backend: Backend, config: ProbeConfig) -> None:
    text = Sample.of(TextRecord(text="酒店位于市中心，步行五分钟可达地铁站。" * 30), provenance=Provenance(document="intro.md"))
    encoded = encode([text], backend.tokenizer, max_length=64, stage="pt")
    assert encoded.truncated == 0
    assert len(encoded.examples) > 3
    assert {e.document for e in encoded.examples} == {"intro.md"}
    assert [e.id for e in encoded.examples][:2] == [text.id, f"{text.id}#2"]
    whole = backend.tokenizer.decode([i for e in encoded.examples for i in e.ids[1:]])
    assert whole == "酒店位于市中心，步行五分钟可达地铁站。" * 30 + "</s>"
    assert all(sum(e.learned) == len(e.ids) - 1 for e in encoded.examples)


def test_early_stopping_needs_evaluations() -> None:
    with pytest.raises(ValueError, match="needs evals_per_run of at least 2"):
        ProbeConfig(patience=1, evals_per_run=1)
