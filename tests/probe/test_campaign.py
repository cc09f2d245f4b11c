"""Around one probe: budgets, robustness, the pool of noise, what is said beforehand, the vault, other engines."""

from pathlib import Path

import numpy as np
import pytest

from datagen.errors import UsageError
from datagen.jsonl import read_appended
from datagen.probe import Expected, ProbeConfig, ProbeResult, rejudge, run_probe
from datagen.probe.engine.job import Comparison, comparisons, plan
from datagen.probe.measure.vault import LIMIT
from datagen.probe.stats import estimate as st
from datagen.probe.store.noise import Measured, pooled_noise, record_noise
from datagen.schemas.sample import Sample


def test_equal_steps_are_the_larger_arm_s(config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path) -> None:
    job = plan(rows, exam, rows[::4], config, tmp_path, None)
    by_epochs = {s.arm: s.steps for s in job.runs_of(Comparison(1e-3, "epochs"))}
    by_steps = {s.arm: s.steps for s in job.runs_of(Comparison(1e-3, "steps"))}
    assert by_epochs == {"baseline": 8, "new": 20}
    assert by_steps == {"baseline": 20, "new": 20}
    shared = {job.key(s) for s in job.runs_of(Comparison(1e-3, "epochs"))} & {job.key(s) for s in job.runs_of(Comparison(1e-3, "steps"))}
    assert len(shared) == config.seeds  # the larger arm's runs serve both


def test_what_robust_compares() -> None:
    rate = ProbeConfig(learning_rate=3e-4)
    assert comparisons(rate, robust=False) == [Comparison(3e-4, "epochs")]
    both = comparisons(rate.model_copy(update={"budget": "both"}), robust=False)
    assert both == [Comparison(3e-4, "epochs"), Comparison(3e-4, "steps")]
    assert [(round(c.learning_rate, 6), c.budget) for c in comparisons(rate, robust=True)] == [
        (3e-4, "epochs"),
        (3e-4, "steps"),
        (1e-4, "epochs"),
        (1e-4, "steps"),
    ]


@pytest.fixture(scope="module")
def robust(
    config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ProbeResult, Path, list[Expected]]:
    folder = tmp_path_factory.mktemp("robust")
    quick = config.model_copy(update={"epochs": 3.0, "answers": 0, "evals_per_run": 1})
    said: list[Expected] = []
    vault = [s.tagged(eval_set="vault") for s in rows[1::4]]
    result = run_probe(
        rows,
        exam,
        baseline=rows[::8],
        config=quick,
        runs_dir=folder / "runs",
        allow_leaks=True,
        out_dir=folder / "out",
        robust=True,
        vault=vault,
        vault_log=folder / "vault.jsonl",
        on_expected=said.append,
    )
    return result, folder, said


def test_controls_are_judged_and_recomputed(robust: tuple[ProbeResult, Path, list[Expected]]) -> None:
    result, folder, _ = robust
    assert [(round(c.learning_rate, 5), c.budget) for c in result.controls] == [(0.005, "steps"), (0.00167, "epochs"), (0.00167, "steps")]
    assert result.robust is all(c.agrees for c in result.controls)
    assert all(c.agrees == ((c.verdict.delta < 0) == (result.headline().delta < 0)) for c in result.controls)
    # 2 arms x 2 seeds x 2 rates, the smaller arm again for equal steps, the untrained model
    assert len(list((folder / "runs").glob("*/done.json"))) == 2 * 2 * 2 + 2 * 2 + 1
    assert rejudge(folder / "out") == result


def test_what_can_be_found_is_said_before_training(robust: tuple[ProbeResult, Path, list[Expected]]) -> None:
    result, _, said = robust
    assert said == [result.expected]
    assert (said[0].eval_set, said[0].seeds, said[0].documents, said[0].comparisons) == ("recall", 2, 8, 0)
    assert said[0].mde > 0
    assert "8 份文档" in said[0].sentence.zh


def test_the_vault_is_opened_only_for_better_and_logged(robust: tuple[ProbeResult, Path, list[Expected]]) -> None:
    result, folder, _ = robust
    assert result.verdict == "BETTER"
    assert result.vault is not None
    assert (result.vault.number, result.vault.verdict.items, result.vault.verdict.eval_set) == (1, 10, "vault")
    log = read_appended(folder / "vault.jsonl")
    assert [(row["number"], row["verdict"]) for row in log] == [(1, result.vault.verdict.verdict)]


def test_the_vault_stays_shut_after_ten_openings(
    robust: tuple[ProbeResult, Path, list[Expected]], config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    from datagen.jsonl import append_row

    for number in range(1, LIMIT + 1):
        append_row(tmp_path / "vault.jsonl", {"number": number, "runs": [str(number)]})
    quick = config.model_copy(update={"epochs": 3.0, "answers": 0, "evals_per_run": 1})
    with pytest.raises(UsageError, match="the vault was opened 10 times"):
        run_probe(
            rows,
            exam,
            baseline=rows[::8],
            config=quick,
            runs_dir=robust[1] / "runs",
            allow_leaks=True,
            out_dir=tmp_path / "out",
            vault=rows[:4],
            vault_log=tmp_path / "vault.jsonl",
        )
    kept = rejudge(tmp_path / "out")
    assert (kept.verdict, kept.vault) == ("BETTER", None)


def test_a_later_comparison_is_shrunk_toward_earlier_ones(
    robust: tuple[ProbeResult, Path, list[Expected]], config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    result, folder, _ = robust
    quick = config.model_copy(update={"epochs": 3.0, "answers": 0, "evals_per_run": 1})
    said: list[Expected] = []
    other = run_probe(
        rows[:-1],
        exam,
        baseline=rows[::8],
        config=quick,
        runs_dir=folder / "runs",
        allow_leaks=True,
        out_dir=tmp_path / "out",
        on_expected=said.append,
    )
    headline = other.headline()
    assert headline.prior_sd == pytest.approx(result.headline().seed_sd)
    assert headline.prior_nu == 1.0  # two seeds: one degree of freedom
    assert said[0].comparisons == 1
    assert rejudge(tmp_path / "out") == other


def test_the_pool_weighs_by_degrees_of_freedom_and_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "noise.jsonl"
    for comparison, variance, nu in (("a", 0.04, 1.0), ("b", 0.01, 5.0), ("b", 0.01, 5.0)):
        record_noise(path, key="k", comparison=comparison, measured=Measured(variance, nu, 0.1))
    found = pooled_noise(path, key="k", comparison="c")
    assert found is not None
    assert (found.seed_variance, found.nu, found.comparisons) == (pytest.approx((0.04 + 0.05) / 6), 4.0, 2)
    assert found.document_sd == pytest.approx(0.1)
    only = pooled_noise(path, key="k", comparison="b")
    assert only is not None
    assert (only.seed_variance, only.nu) == (0.04, 1.0)
    assert pooled_noise(path, key="other", comparison="c") is None


def test_expected_error_is_the_estimator_s_for_the_same_noise() -> None:
    rng = np.random.default_rng(0)
    data = st.Paired(rng.normal(0, 0.1, (3, 40)), np.full(40, 1 / 40), 160, 1600)
    value = st.estimate(data)
    told = st.expected(
        seed_variance=value.seed_variance, seed_nu=2, document_sd=value.document_sd, seeds=3, tokens=np.full(40, 40, dtype=np.int64)
    )
    assert told.detectable(0.05) == pytest.approx(value.detectable(0.05))


@pytest.mark.slow
def test_two_processes_give_the_same_losses(config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path) -> None:
    quick = config.model_copy(update={"epochs": 1.0, "answers": 0, "evals_per_run": 1})
    results = [
        run_probe(
            rows[:16],
            exam,
            baseline=None,
            config=quick,
            runs_dir=tmp_path / engine / "runs",
            allow_leaks=True,
            out_dir=tmp_path / engine / "out",
            engine=engine,
            workers=2,
        )
        for engine in ("serial", "processes")
    ]
    one, two = (r.headline() for r in results)
    assert one.delta == pytest.approx(two.delta, abs=2e-3)
    assert (one.verdict, one.items, one.seeds) == (two.verdict, two.items, two.seeds)
