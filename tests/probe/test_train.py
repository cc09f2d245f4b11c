"""The trainer on the tiny model: exactness of the speed-ups, determinism, learning."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as hs

from datagen.errors import UsageError
from datagen.probe.config import ProbeConfig
from datagen.probe.data.batch import collate, common_prefix, group
from datagen.probe.data.encode import Example, encode
from datagen.probe.models.backend import Backend, load_backend, reset_adapter
from datagen.probe.train.evaluate import curve_subset, evaluate, evaluate_base
from datagen.probe.train.forward import token_nll
from datagen.probe.train.loop import Task, Trained, train_run
from datagen.schemas.sample import Sample


@pytest.fixture(scope="module")
def examples(backend: Backend, rows: list[Sample]) -> list[Example]:
    return encode(rows, backend.tokenizer, max_length=256).examples


@pytest.fixture(scope="module")
def questions(backend: Backend, exam: list[Sample]) -> list[Example]:
    return encode(exam, backend.tokenizer, max_length=256).examples


def test_the_tiny_model_takes_the_fast_path(backend: Backend) -> None:
    assert backend.packed
    assert backend.fused
    assert backend.device == "cpu"


def test_fused_head_equals_transformers_own_loss_and_gradient(backend: Backend, examples: list[Example]) -> None:
    parameters = reset_adapter(backend, seed=5)
    batch = collate(examples[:6], packed=False, device="cpu")
    found: list[tuple[torch.Tensor, list[torch.Tensor]]] = []
    for fused in (True, False):
        nll = token_nll(backend.causal, batch, fused=fused)
        gradients = torch.autograd.grad(nll.mean(), [p for _, p in parameters if p.shape[1] == 4])
        found.append((nll.detach(), list(gradients)))
    assert torch.allclose(found[0][0], found[1][0], atol=0.02 if backend.dtype == "bfloat16" else 1e-5)
    one, two = (torch.cat([g.flatten() for g in gradients]) for _, gradients in found)
    assert torch.nn.functional.cosine_similarity(one, two, dim=0) > 0.99


@given(seed=hs.integers(0, 10_000), size=hs.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_packed_rows_score_like_separate_rows(backend: Backend, examples: list[Example], seed: int, size: int) -> None:
    chosen = random.Random(seed).sample(examples, size)
    with torch.no_grad():
        packed = token_nll(backend.causal, collate(chosen, packed=True, device="cpu"), fused=True)
        alone = torch.cat([token_nll(backend.causal, collate([e], packed=False, device="cpu"), fused=True) for e in chosen])
    order = torch.argsort(collate(chosen, packed=True, device="cpu").owners, stable=True)
    assert torch.allclose(packed[order], alone, atol=0.05 if backend.dtype == "bfloat16" else 1e-4)


def test_packed_batch_holds_the_persona_once_per_language(examples: list[Example]) -> None:
    zh = [e for e in examples if e.language == "zh"][:4]
    en = [e for e in examples if e.language == "en"][:4]
    prefixes = common_prefix(zh), common_prefix(en)
    assert min(prefixes) >= 8
    packed = collate([zh[0], en[0], zh[1], en[1], zh[2], en[2], zh[3], en[3]], packed=True, device="cpu")
    expected = sum(len(e.ids) for e in zh + en) - 3 * prefixes[0] - 3 * prefixes[1]
    assert packed.input_ids.shape == (1, expected)
    assert packed.position_ids is not None
    assert int(packed.position_ids.max()) == max(len(e.ids) for e in zh + en) - 1


def test_groups_keep_order_and_budget(examples: list[Example]) -> None:
    groups = group(examples, token_budget=300, packed=False)
    assert [e for g in groups for e in g] == examples
    assert all(len(g) * max(len(e.ids) for e in g) <= 300 for g in groups)


def test_same_config_gives_a_bit_identical_adapter(
    backend: Backend, config: ProbeConfig, examples: list[Example], questions: list[Example]
) -> None:
    states: list[dict[str, torch.Tensor]] = []
    results: list[list[tuple[int, list[float]]]] = []
    for order in (examples, examples[::-1]):
        trained = _train(backend, order, questions, config, seed=1)
        results.append([(step, [i.nll for i in items]) for step, items in trained.evals])
        states.append({n: p.detach().clone() for n, p in backend.peft.named_parameters() if p.requires_grad})
    assert results[0] == results[1]
    assert all(torch.equal(states[0][n], states[1][n]) for n in states[0])
    other = _train(backend, examples, questions, config, seed=2)
    assert [i.nll for i in other.evals[-1][1]] != results[0][-1][1]


def test_adapters_sit_on_the_target_modules_alone(tiny: Path, config: ProbeConfig) -> None:
    some = load_backend(tiny, config.model_copy(update={"target_modules": ("q_proj", "v_proj")}))
    adapted = {n.split(".lora_")[0].rsplit(".", 1)[-1] for n, p in some.peft.named_parameters() if p.requires_grad}
    assert adapted == {"q_proj", "v_proj"}
    with pytest.raises(UsageError, match="target modules c_attn: not in this model") as caught:
        load_backend(tiny, config.model_copy(update={"target_modules": ("c_attn",)}))
    assert caught.value.hint == "its linear layers: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"


def test_training_lowers_the_loss_and_reports_every_evaluation(
    backend: Backend, config: ProbeConfig, examples: list[Example], questions: list[Example]
) -> None:
    before = evaluate_base(backend, questions, config=config)
    steps: list[int] = []
    trained = _train(backend, examples, questions, config, on_step=steps.append)
    assert steps == list(range(1, config.steps_for(len(examples)) + 1)) == list(range(1, 21))
    assert [step for step, _ in trained.evals] == [10, 20]
    assert [i.example.id for i in trained.evals[-1][1]] == [e.id for e in questions]
    assert sum(i.nll for i in trained.evals[-1][1]) < 0.97 * sum(i.nll for i in before)
    assert all(0 < i.fact_nll < i.nll for i in before)
    assert trained.tokens == 4 * sum(len(e.ids) for e in examples)


def test_a_fresh_adapter_is_the_untrained_model(backend: Backend, config: ProbeConfig, questions: list[Example]) -> None:
    reset_adapter(backend, seed=3)
    assert evaluate(backend, questions, config=config) == evaluate_base(backend, questions, config=config)


def test_a_small_token_budget_only_splits_the_batch(
    backend: Backend, config: ProbeConfig, examples: list[Example], questions: list[Example]
) -> None:
    short = config.model_copy(update={"token_budget": 128, "epochs": 1})
    long = config.model_copy(update={"epochs": 1})
    one, two = (_train(backend, examples, questions, c).evals[-1][1] for c in (short, long))
    assert abs(sum(i.nll for i in one) / sum(i.nll for i in two) - 1) < 0.01


def test_curve_subset_covers_documents_first(questions: list[Example]) -> None:
    chosen = curve_subset(questions, 12)
    assert len(chosen) == 12
    assert {e.document for e in chosen} == {e.document for e in questions}
    assert curve_subset(questions[::-1], 12) == chosen
    assert curve_subset(questions, 500) == questions


def _train(
    backend: Backend,
    rows: list[Example],
    questions: list[Example],
    config: ProbeConfig,
    *,
    seed: int = 0,
    folder: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Trained:
    task = Task(rows, questions, config, seed, config.steps_for(len(rows)))
    return train_run(backend, task, folder=folder, on_step=on_step)
