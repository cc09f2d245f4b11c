"""Curve, sweep, slices and retrieval end to end on the tiny model: what is trained, what is found again, what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.ingest.chunk import chunk_document
from datagen.jsonl import read_json
from datagen.probe.config import ProbeConfig
from datagen.probe.growth import learning_curve, lora_sweep, measure_slices, retrieval_probe
from datagen.probe.growth.bm25 import PassageIndex, holds_evidence, terms
from datagen.probe.growth.curve import CurveResult
from datagen.probe.growth.retrieval import with_passages
from datagen.probe.growth.targets import Layers, model_layers
from datagen.probe.progress import ProbeProgress
from datagen.report.growth_plots import curve_picture, retrieval_picture, slices_picture, sweep_picture
from datagen.schemas.document import Chunk, Document, Section
from datagen.schemas.record import completion_text, prompt_text, question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample


@pytest.fixture(scope="module")
def quick(config: ProbeConfig) -> ProbeConfig:
    return config.model_copy(update={"epochs": 2.0, "evals_per_run": 1, "answers": 0})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("growth") / "runs"


@pytest.fixture(scope="module")
def chunks(exam: Sequence[Sample]) -> list[Chunk]:
    documents = [_document(s.provenance.document, completion_text(s.record)) for s in exam]
    return [c for d in {d.path: d for d in documents}.values() for c in chunk_document(d)]


def test_curve_trains_nested_subsets_once(quick: ProbeConfig, rows: list[Sample], exam: list[Sample], runs: Path, tmp_path: Path) -> None:
    notes: list[ProbeProgress] = []

    def curve() -> CurveResult:
        return learning_curve(
            rows,
            exam,
            config=quick,
            runs_dir=runs,
            out_dir=tmp_path,
            allow_leaks=True,
            fractions=(0.25, 0.5, 1.0),
            seeds=(2, 2, 2),
            to_rows=100,
            last_verdict="EQUIVALENT",
            on_progress=notes.append,
        )

    result = curve()
    assert [(p.rows, p.seeds) for p in result.points] == [(10, 2), (20, 2), (40, 2)]
    assert all(p.low < p.loss < p.high for p in result.points)
    assert result.base_loss > result.points[-1].loss
    assert (result.doubling.start, result.doubling.end, result.trained) == (40, 80, 6)
    assert result.ahead is not None
    assert result.ahead.end == 100
    assert result.doubling.low <= result.doubling.expected <= result.doubling.high
    assert result.warnings[0].startswith("100 rows are more than twice what was measured")
    assert sum(law.weight for law in result.laws) == pytest.approx(1)
    assert (result.advice == "CONTINUE") == (result.doubling.low > quick.delta)
    assert notes[-1].done == notes[-1].total == 2 * (2 * 2 + 2 * 3 + 2 * 5)
    notes.clear()
    again = curve()
    assert again == result.model_copy(update={"trained": 0})
    assert notes == []
    assert CurveResult.model_validate(read_json(tmp_path / "curve.json")) == again
    assert curve_picture(result).startswith("<svg")


def test_curve_refuses_what_it_cannot_know(quick: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a forecast from 40 to 161 rows is not possible") as caught:
        learning_curve(rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path, allow_leaks=True, to_rows=161)
    assert caught.value.hint == "measure a larger set first; 4 times what was measured is the limit"
    with pytest.raises(UsageError, match="8 rows are too few for a learning curve"):
        learning_curve(rows[:8], exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path, allow_leaks=True)
    with pytest.raises(UsageError, match="fractions must increase to 1"):
        learning_curve(
            rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path, allow_leaks=True, fractions=(0.5, 0.25, 1), seeds=(2, 2, 2)
        )


def test_sweep_fills_both_tables(quick: ProbeConfig, rows: list[Sample], exam: list[Sample], runs: Path, tmp_path: Path) -> None:
    result = lora_sweep(
        rows[:16],
        exam,
        config=quick,
        runs_dir=runs,
        out_dir=tmp_path,
        allow_leaks=True,
        ranks=(1, 4),
        targets=("q,v", "all"),
        budget_rank=4,
    )
    assert [(c.targets, c.rank) for c in result.rank_by_targets.cells] == [("q,v", 1), ("q,v", 4), ("all", 1), ("all", 4)]
    # 2 layers: q 64+64, v 64+32 at rank 1; all seven layers at rank 4
    assert [c.parameters for c in result.rank_by_targets.cells] == [448, 1792, 2048, 8192]
    assert [(c.targets, c.rank, c.parameters) for c in result.equal_parameters.cells] == [("q,v", 18, 8064), ("all", 4, 8192)]
    for table in (result.rank_by_targets, result.equal_parameters):
        (best,) = [c for c in table.cells if c.reference]
        assert best.loss == min(c.loss for c in table.cells)
        assert all(c.difference == pytest.approx(c.loss - best.loss) for c in table.cells)
        assert all(c.difference_low <= c.difference <= c.difference_high for c in table.cells)
    assert result.choice.verdict != "WORSE"
    assert result.trained == 10
    assert sweep_picture(result).count("equal") + sweep_picture(result).count("same number") >= 1
    with pytest.raises(UsageError, match="no layer 'c_attn' in this model"):
        lora_sweep(rows[:16], exam, config=quick, runs_dir=runs, out_dir=tmp_path, allow_leaks=True, targets=("c_attn",))


def test_rows_that_leak_into_the_exam_are_refused(quick: ProbeConfig, rows: list[Sample], exam: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="40 of 40 rows of train leak into exam") as caught:
        learning_curve(rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path)
    assert "allow_leaks=True (curve --allow-leaks)" in caught.value.hint
    with pytest.raises(DataError, match="leak into exam"):
        lora_sweep(rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path)
    with pytest.raises(DataError, match="leak into exam"):
        measure_slices(rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path)
    with pytest.raises(DataError, match="leak into exam"):
        retrieval_probe(rows, exam, [], config=quick, runs_dir=tmp_path, out_dir=tmp_path)
    # Past that check each goes on to its next.
    with pytest.raises(UsageError, match="a forecast from 40 to 999 rows"):
        learning_curve(rows, exam, config=quick, runs_dir=tmp_path, out_dir=tmp_path, to_rows=999, allow_leaks=True)


def test_targets_have_short_names(tiny: Path) -> None:
    layers = model_layers(tiny)
    assert layers == Layers(
        {"q_proj": 256, "k_proj": 192, "v_proj": 192, "o_proj": 256, "gate_proj": 384, "up_proj": 384, "down_proj": 384}
    )
    assert layers.resolve("attention") == ("k_proj", "o_proj", "q_proj", "v_proj")
    assert layers.resolve("v_proj, q") == ("q_proj", "v_proj")
    assert layers.resolve("all") == ()
    assert (layers.parameters((), 2), layers.rank_for(("q_proj",), 4096)) == (4096, 16)


def test_slices_are_screened_and_the_top_one_confirmed(
    quick: ProbeConfig, rows: list[Sample], exam: list[Sample], runs: Path, tmp_path: Path
) -> None:
    config = quick.model_copy(update={"epochs": 1.0})
    result = measure_slices(rows, exam, config=config, runs_dir=runs, out_dir=tmp_path, allow_leaks=True, by="language", draws=4)
    assert {e.name: e.rows for e in result.effects} == {"zh": 20, "en": 20}
    assert result.top == result.effects[0].name
    assert all(e.low <= e.effect <= e.high for e in result.effects)
    assert result.effects[0].per_100_rows == pytest.approx(result.effects[0].effect * 5)
    assert result.confirmed is not None
    assert (result.confirmed.compared, result.confirmed.seeds) == ("new - baseline", 2)
    assert slices_picture(result).startswith("<svg")
    with pytest.raises(UsageError, match="by strategy the rows fall into 1 slice"):
        measure_slices(rows, exam, config=config, runs_dir=runs, out_dir=tmp_path, allow_leaks=True, by="strategy")


def test_retrieval_fills_four_cells(
    quick: ProbeConfig, rows: list[Sample], exam: list[Sample], chunks: list[Chunk], runs: Path, tmp_path: Path
) -> None:
    config = quick.model_copy(update={"epochs": 4.0})
    result = retrieval_probe(rows, exam, chunks, config=config, runs_dir=runs, out_dir=tmp_path, allow_leaks=True)
    cells = {c.name: c for c in result.cells if c.metric == "nll"}
    assert list(cells) == ["base", "base + retrieved", "tuned", "tuned + retrieved"]
    assert cells["tuned"].high < cells["base"].low
    contrasts = {(c.old, c.new): c for c in result.contrasts if c.metric == "nll"}
    assert contrasts["base", "tuned"].verdict == "BETTER"
    for (old, new), c in contrasts.items():
        assert c.difference == pytest.approx(cells[new].loss - cells[old].loss)
    assert (result.eval_set, result.questions, result.found, result.trained) == ("recall", 16, None, 2)
    again = retrieval_probe(rows, exam, chunks, config=config, runs_dir=runs, out_dir=tmp_path, allow_leaks=True)
    assert again == result.model_copy(update={"trained": 0})
    assert retrieval_picture(result).startswith("<svg")


def test_passages_are_found_in_both_languages() -> None:
    texts = {
        "退房.md": "退房时间是中午12:00，延迟退房需要付费。",
        "早餐.md": "早餐在二楼餐厅供应。",
        "parking.md": "Parking is free for guests.",
    }
    index = PassageIndex([c for name, text in texts.items() for c in chunk_document(_document(name, text))])
    assert [c.document for c in index.search("几点退房？", k=1)] == ["退房.md"]
    assert [c.document for c in index.search("Is PARKING free?", k=2)] == ["parking.md"]
    assert index.search("xyzzy", k=3) == []
    assert terms("退房 time") == ["退", "房", "time", "退房"]
    with pytest.raises(UsageError, match="no document to retrieve from"):
        PassageIndex([])


def test_passages_go_before_the_question_and_evidence_is_looked_for() -> None:
    (chunk,) = chunk_document(_document("退房.md", "退房时间是中午12:00。{{ 7 * 7 }}"))
    span = EvidenceSpan(document="退房.md", start=0, end=13, quote="退房时间是中午12:00。")
    sample = Sample.of(
        question_answer("几点退房？", "12:00。", persona="你是前台。"),
        provenance=Provenance(document="退房.md", evidence=(span,)),
        tags={"eval_set": "recall"},
    )
    asked = with_passages(sample, [chunk])
    assert prompt_text(asked.record) == "请根据下面的资料回答问题。\n资料：\n退房时间是中午12:00。{{ 7 * 7 }}\n\n问题：几点退房？"
    assert completion_text(asked.record) == "12:00。"
    assert (asked.provenance, asked.tags) == (sample.provenance, sample.tags)
    assert with_passages(sample, []) == sample
    assert holds_evidence(sample, [chunk]) is True
    assert holds_evidence(sample, []) is False


def _document(path: str, text: str) -> Document:
    language = "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"
    section = Section(heading_path=(), start=0, end=len(text))
    return Document(path=path, sha256="0", media_type="md", language=language, title=path, text=text, sections=(section,))
