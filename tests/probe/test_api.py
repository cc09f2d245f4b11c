"""run_probe end to end on the tiny model: reuse, resumption, recomputation, refusal."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock, Timeout

from datagen.errors import DataError, UsageError
from datagen.jsonl import read_json, write_json
from datagen.probe import ProbeConfig, ProbeProgress, ProbeResult, rejudge, run_probe
from datagen.probe.store import runs
from datagen.probe.store.losses import read_losses
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

_INFO = {"key": "key", "seed": 0, "rows": 1, "truncated": 0, "steps": 1, "tokens": 9, "seconds": 0.1, "train_losses": []}


class Finished(NamedTuple):
    """Two probes of one campaign: base against v1, then v1 against v2."""

    first: ProbeResult
    second: ProbeResult
    folder: Path


@pytest.fixture(scope="module")
def finished(config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("probe")
    small = rows[::4]
    first = run_probe(small, exam, baseline=None, config=config, runs_dir=folder / "runs", allow_leaks=True, out_dir=folder / "one")
    second = run_probe(
        rows, exam, baseline=small, config=config, runs_dir=folder / "runs", allow_leaks=True, out_dir=folder / "two", look=2
    )
    return Finished(first, second, folder)


def test_first_probe_compares_with_the_untrained_model(finished: Finished) -> None:
    result = finished.first
    assert [a.name for a in result.arms] == ["new"]
    assert (result.arms[0].rows, result.arms[0].steps, result.arms[0].cached) == (10, 8, False)
    headline = result.headline()
    assert (headline.eval_set, headline.compared, headline.seeds, headline.documents, headline.items) == (
        "recall",
        "new - base",
        2,
        8,
        16,
    )
    assert headline.delta == pytest.approx(headline.new_loss - headline.baseline_loss)
    assert headline.verdict == "BETTER"
    assert {(v.eval_set, v.metric) for v in result.verdicts} >= {("recall", "nll"), ("unseen", "nll"), ("recall", "fact_nll")}
    assert {v.slice for v in result.slices} == {"language=zh", "language=en", "folder=zh", "folder=en"}
    assert [len(c.points) for c in result.curves] == [2, 2]
    assert result.training[0].arm == "new"


def test_second_probe_reuses_the_first_ones_runs(finished: Finished) -> None:
    result = finished.second
    assert [(a.name, a.rows, a.cached) for a in result.arms] == [("baseline", 10, True), ("new", 40, False)]
    assert set(result.gain_over_base) == {"baseline", "new"}
    assert result.gain_over_base["baseline"].delta == pytest.approx(finished.first.headline().delta)
    assert result.headline().delta < 0
    assert [a.baseline for a in result.answers] == [a.new for a in finished.first.answers]
    # base, 2 seeds of v1, 2 seeds of v2
    assert len(list((finished.folder / "runs").glob("*/done.json"))) == 5


def test_verdict_is_recomputed_identically_from_the_store(finished: Finished) -> None:
    assert rejudge(finished.folder / "two") == finished.second
    rows = read_losses(finished.folder / "two" / "losses.parquet")
    assert {(r.arm, r.seed) for r in rows} == {("base", -1), ("baseline", 0), ("baseline", 1), ("new", 0), ("new", 1)}
    assert len([r for r in rows if r.final]) == 5 * 20


def test_result_file_is_the_result(finished: Finished) -> None:
    assert ProbeResult.model_validate(read_json(finished.folder / "one" / "result.json")) == finished.first


def test_everything_cached_needs_no_training(
    finished: Finished, config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    seen: list[ProbeProgress] = []
    again = run_probe(
        rows[::-1],
        exam[::-1],
        baseline=rows[::4],
        config=config,
        runs_dir=finished.folder / "runs",
        allow_leaks=True,
        out_dir=tmp_path,
        look=2,
        on_progress=seen.append,
    )
    assert again.verdicts == finished.second.verdicts
    assert [p.note for p in seen] == ["verdict"]
    assert seen[0].done == seen[0].total


@pytest.mark.parametrize("data", ["", "rows"])
def test_runs_of_an_older_trainer_are_not_found_the_untrained_model_s_scores_neither(
    config: ProbeConfig, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    def key() -> str:
        return runs.run_key(model_sha256="m", dtype="float32", device="cpu", config=config, steps=0, rows=data, exam="e", seed=0)

    before = key()
    for module in ("datagen.probe.config", "datagen.probe.store.runs"):
        monkeypatch.setattr(f"{module}.TRAINER_VERSION", -1)
    assert key() != before


def test_the_goal_belongs_to_a_run_where_it_chooses_its_checkpoint(config: ProbeConfig) -> None:
    def keys(patience: int) -> set[str]:
        return {config.model_copy(update={"goal": g, "patience": patience}).training_key() for g in ("knowledge", "style")}

    assert len(keys(0)) == 1
    assert len(keys(2)) == 2


def test_what_of_the_exam_was_not_scored_as_given_is_a_warning(
    finished: Finished, config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    long = Sample.of(question_answer("早餐几点？", "早餐七点开始，" * 60), tags={"eval_set": "recall"})
    quick = config.model_copy(update={"epochs": 1.0, "answers": 0, "seeds": 1, "max_length": 96})
    run = partial(run_probe, rows[:8], baseline=None, config=quick, allow_leaks=True)
    result = run([*exam, long, exam[0].tagged(eval_set="gold")], runs_dir=tmp_path / "runs", out_dir=tmp_path / "out")
    notes = (
        "1 exam rows are longer than 96 tokens: their prompt was cut, then their answer",
        "questions with the same answer are both gold and recall: they are counted as recall only",
    )
    assert result.exam_notes == notes
    assert set(notes) <= set(result.warnings)
    assert rejudge(tmp_path / "out").warnings == result.warnings
    assert finished.first.exam_notes == ()


def test_two_processes_that_want_one_run_compute_it_once(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "key"
    with runs.claimed(folder) as missing:
        assert missing
        with pytest.raises(Timeout):
            FileLock(folder.parent / "locks" / "key", timeout=0.05).acquire()
        write_json(runs.begin(folder) / "done.json", _INFO)
    with runs.claimed(folder) as missing:
        assert not missing


def test_a_killed_run_is_done_again_and_only_that(
    finished: Finished, config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    import shutil

    runs = shutil.copytree(finished.folder / "runs", tmp_path / "runs")
    done = [p for p in runs.glob("*/done.json") if read_json(p)["seed"] == 1 and read_json(p)["rows"] == 10]
    assert len(done) == 1
    done[0].unlink()
    notes: list[str] = []
    again = run_probe(
        rows[::4],
        exam,
        baseline=None,
        config=config,
        runs_dir=runs,
        allow_leaks=True,
        out_dir=tmp_path / "out",
        on_progress=lambda p: notes.append(p.note),
    )
    assert again.verdicts == finished.first.verdicts
    assert {n for n in notes if n.startswith("training")} == {"training new, seed 2 of 2"}
    assert (done[0].parent / "adapter" / "adapter_config.json").is_file()


def test_gold_is_reported_and_vault_is_left_out(
    config: ProbeConfig, rows: list[Sample], exam: list[Sample], finished: Finished, tmp_path: Path
) -> None:
    mixed = [*(s.tagged(eval_set="gold") for s in exam[:8]), *exam[8:16], *(s.tagged(eval_set="vault") for s in exam[16:])]
    quick = config.model_copy(update={"epochs": 1.0, "answers": 0, "goal": "style"})
    result = run_probe(
        rows[:16], mixed, baseline=None, config=quick, runs_dir=tmp_path / "runs", allow_leaks=True, out_dir=tmp_path / "out"
    )
    assert {v.eval_set for v in result.verdicts} == {"gold", "recall"}
    assert result.answers == ()
    assert result.primary == "gold"
    assert result.training == ()  # gold questions have no curve
    assert "the exam has no 'unseen' questions: the verdict is read on 'gold'" in result.warnings


def test_empty_sets_and_wrong_models_are_refused(config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the new set has no rows"):
        run_probe([], exam, baseline=None, config=config, runs_dir=tmp_path, allow_leaks=True, out_dir=tmp_path)
    with pytest.raises(UsageError, match="the exam set has no rows"):
        run_probe(
            rows, [exam[0].tagged(eval_set="vault")], baseline=None, config=config, runs_dir=tmp_path, allow_leaks=True, out_dir=tmp_path
        )
    wrong = config.model_copy(update={"model": "gema3-270m"})
    with pytest.raises(UsageError, match="neither a known name nor an existing folder") as caught:
        run_probe(rows, exam, baseline=None, config=wrong, runs_dir=tmp_path, allow_leaks=True, out_dir=tmp_path)
    assert "did you mean 'gemma3-270m'" in caught.value.hint


def test_rejudge_wants_a_probe_folder(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no result\.json"):
        rejudge(tmp_path)
    write_json(tmp_path / "result.json", finished.first.model_dump(mode="json"))
    with pytest.raises(UsageError, match=r"losses\.parquet: no such file"):
        rejudge(tmp_path)
    (tmp_path / "result.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"result\.json: not a probe's result: model: Field required"):
        rejudge(tmp_path)
    write_json(tmp_path / "result.json", finished.first.model_dump(mode="json"))
    (tmp_path / "losses.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="not a parquet file"):
        rejudge(tmp_path)


def test_training_rows_that_leak_into_the_exam_the_baseline_s_or_the_vault_are_refused(
    config: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path
) -> None:
    other = [Sample.of(question_answer("酒店在哪条街？", "人民路。"))]
    probe = partial(run_probe, config=config, runs_dir=tmp_path / "runs", out_dir=tmp_path / "out")
    with pytest.raises(DataError, match="rows of train leak into eval"):
        probe(rows, exam, baseline=None)
    with pytest.raises(DataError, match="rows of baseline leak into eval"):
        probe(other, exam, baseline=rows)
    with pytest.raises(DataError, match="rows of train leak into vault"):
        probe(other, exam, baseline=None, vault=other)
    assert not list(tmp_path.iterdir())
