"""The four verdicts on constructed loss stores."""

from math import isclose
from pathlib import Path

import pytest

from datagen.probe.stats.estimate import Estimate
from datagen.probe.stats.verdict import Rules, Slice, compare, decide, settle, slices
from datagen.probe.store.losses import LossRow, read_losses, write_losses

RULES = Rules(delta=0.01, alpha_level=0.05, look=1)


def _rows(arm: str, losses: dict[int, list[float]], *, eval_set: str = "recall") -> list[LossRow]:
    """Two questions in each of six documents, ten tokens each; ``losses[seed]`` gives nats per token by document."""
    return [
        LossRow(
            run=f"{arm}{seed}",
            arm=arm,
            seed=seed,
            step=10,
            final=True,
            example_id=f"{eval_set}-{document}-{question}",
            document=f"docs/{document}.md",
            eval_set=eval_set,
            language="zh" if document % 2 else "en",
            nll=10 * loss,
            n_tokens=10,
            fact_nll=2 * loss if document else 0.0,
            fact_tokens=2 if document else 0,
        )
        for seed, values in losses.items()
        for document, loss in enumerate(values)
        for question in range(2)
    ]


def _shifted(by: list[float]) -> list[LossRow]:
    start = [2.0, 1.8, 2.2, 1.9, 2.1, 2.0]
    seeds = {0: 0.0, 1: 0.002, 2: -0.002}
    old = _rows("baseline", {s: [v + n for v in start] for s, n in seeds.items()})
    new = _rows("new", {s: [v + d - n for v, d in zip(start, by, strict=True)] for s, n in seeds.items()})
    return old + new


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ([-0.5, -0.4, -0.6, -0.5, -0.45, -0.55], "BETTER"),
        ([0.5, 0.4, 0.6, 0.5, 0.45, 0.55], "WORSE"),
        ([0.001, -0.001, 0.002, -0.002, 0.001, -0.001], "EQUIVALENT"),
        ([0.3, -0.4, 0.2, -0.3, 0.1, -0.2], "INCONCLUSIVE"),
    ],
    ids=["better", "worse", "equivalent", "inconclusive"],
)
def test_four_verdicts(by: list[float], expected: str) -> None:
    verdict = compare(_shifted(by), baseline="baseline", new="new", eval_set="recall", rules=RULES)
    assert verdict is not None
    assert verdict.verdict == expected
    assert isclose(verdict.delta, sum(by) / 6, abs_tol=1e-9)
    assert (verdict.seeds, verdict.documents, verdict.items, verdict.tokens) == (3, 6, 12, 120)
    assert verdict.low < verdict.delta < verdict.high
    assert verdict.mde > 0


def test_untrained_baseline_is_paired_with_every_seed() -> None:
    rows = _rows("base", {-1: [3.0] * 6}) + _rows("new", {0: [1.0] * 6, 1: [1.1] * 6, 2: [0.9] * 6})
    verdict = compare(rows, baseline="base", new="new", eval_set="recall", rules=RULES)
    assert verdict is not None
    assert verdict.verdict == "BETTER"
    assert isclose(verdict.delta, -2.0)
    assert isclose(verdict.baseline_loss, 3.0)
    assert verdict.sentence.en.startswith("Training on this data helps: right answers became 7.39 times as likely")


def test_fact_tokens_leave_out_questions_without_any() -> None:
    verdict = compare(_shifted([-0.5] * 6), baseline="baseline", new="new", eval_set="recall", rules=RULES, metric="fact_nll")
    assert verdict is not None
    assert (verdict.documents, verdict.items, verdict.tokens) == (5, 10, 20)


def test_missing_eval_set_gives_none() -> None:
    assert compare(_shifted([0.0] * 6), baseline="baseline", new="new", eval_set="gold", rules=RULES) is None


def test_one_seed_is_never_a_verdict() -> None:
    rows = _rows("baseline", {0: [2.0] * 6}) + _rows("new", {0: [1.0, 1.1, 0.9, 1.0, 1.2, 1.0]})
    verdict = compare(rows, baseline="baseline", new="new", eval_set="recall", rules=RULES)
    assert verdict is not None
    assert verdict.verdict == "INCONCLUSIVE"
    assert "one seed says nothing about the noise between runs: no verdict is given" in verdict.warnings
    assert verdict.sentence.en.endswith("). About 3 seeds would allow a verdict.")
    assert verdict.sentence.zh.endswith("要得到结论，需要约 3 个随机种子。")


def test_one_seed_on_one_document_needs_more_of_both() -> None:
    rows = [r for r in _rows("baseline", {0: [2.0] * 6}) + _rows("new", {0: [1.0] * 6}) if r.document == "docs/3.md"]
    verdict = compare(rows, baseline="baseline", new="new", eval_set="recall", rules=RULES)
    assert verdict is not None
    assert verdict.sentence.en.endswith("). About 3 seeds and eval questions over about 5 documents would allow a verdict.")
    assert verdict.sentence.zh.endswith("要得到结论，需要约 3 个随机种子，以及约 5 份文档的评测题。")


def test_few_documents_are_said_in_a_warning() -> None:
    rows = [r for r in _shifted([-0.5, -0.4, -0.6, -0.5, -0.45, -0.55]) if r.document in {"docs/0.md", "docs/1.md", "docs/2.md"}]
    verdict = compare(rows, baseline="baseline", new="new", eval_set="recall", rules=RULES)
    assert verdict is not None
    assert any(w.startswith("only 3 documents") for w in verdict.warnings)
    assert any("cannot give less than 0.250" in w for w in verdict.warnings)


def test_later_looks_are_stricter() -> None:
    rows = _shifted([-0.05, 0.01, -0.06, -0.02, -0.01, -0.04])
    widths: list[float] = []
    for look in (1, 2, 5):
        verdict = compare(rows, baseline="baseline", new="new", eval_set="recall", rules=Rules(0.01, 0.05, look))
        assert verdict is not None
        widths.append(verdict.high - verdict.low)
    assert widths == sorted(widths)
    assert widths[0] < widths[2]


def test_settle_names_what_would_make_the_interval_short_enough() -> None:
    noisy_seeds = Estimate(delta=-0.05, seed_variance=0.01, document_variance=1e-5, seeds=3, documents=20, nu=4.0)
    advice = settle(noisy_seeds, delta=0.01, alpha=0.05)
    assert advice.seeds is not None
    assert advice.seeds > 3
    assert advice.documents is None
    few_documents = Estimate(delta=-0.05, seed_variance=1e-6, document_variance=0.002, seeds=3, documents=8, nu=7.0)
    advice = settle(few_documents, delta=0.01, alpha=0.05)
    assert advice.seeds is None
    assert advice.documents is not None
    assert advice.documents > 8


def test_decide_needs_two_documents() -> None:
    value = Estimate(delta=-1.0, seed_variance=1e-6, document_variance=0.0, seeds=3, documents=1, nu=2.0)
    assert decide(value, delta=0.01, alpha=0.05) == "INCONCLUSIVE"


def test_slices_by_language_are_holm_adjusted() -> None:
    found = slices(_shifted([-0.5, 0.3, -0.6, -0.3, -0.45, 0.2]), baseline="baseline", new="new", rules=RULES)
    assert [(v.eval_set, v.slice) for v in found] == [("recall", "language=en"), ("recall", "language=zh")]
    assert found[0].verdict == "BETTER"
    assert found[1].verdict == "INCONCLUSIVE"


def test_slices_by_folder_are_a_family_of_their_own() -> None:
    folders = ("会员", "会员", "会员", "预订", "预订", "预订")
    rows = [
        r._replace(document=f"{folders[int(r.document[5])]}/{r.document[5:]}") for r in _shifted([-0.5, -0.45, -0.55, 0.02, -0.03, 0.01])
    ]
    alone = [r._replace(example_id="alone", document="发票/1.md") for r in rows if r.example_id == "recall-0-0"]
    found = slices([*rows, *alone], baseline="baseline", new="new", rules=RULES)
    by_folder = {v.slice: v for v in found if v.slice.startswith("folder=")}
    assert set(by_folder) == {"folder=会员", "folder=预订"}
    assert (by_folder["folder=会员"].verdict, by_folder["folder=预订"].verdict) == ("BETTER", "INCONCLUSIVE")
    assert by_folder["folder=会员"].documents == 3
    # Holm over two folders, whatever the languages give.
    raw = compare(rows, baseline="baseline", new="new", eval_set="recall", rules=RULES, part=Slice("folder", "会员"))
    assert raw is not None
    assert by_folder["folder=会员"].p == pytest.approx(2 * raw.p)


def test_questions_without_a_document_are_in_no_folder() -> None:
    rows = [
        r._replace(document=r.example_id) if r.document in {"docs/0.md", "docs/1.md"} else r
        for r in _shifted([-0.5, -0.45, -0.55, 0.02, -0.03, 0.01])
    ]
    folders = ("会员", "会员", "会员", "预订", "预订", "预订")
    rows = [r._replace(document=f"{folders[int(r.document[5])]}/{r.document[5:]}") if r.document.startswith("docs/") else r for r in rows]
    found = slices(rows, baseline="baseline", new="new", rules=RULES)
    # 会员 has one document left, too few for a verdict.
    assert [v.slice for v in found] == ["language=en", "language=zh", "folder=预订"]
    pieces = [r._replace(example_id=f"{r.example_id}#2") for r in rows if r.document.startswith("recall-")]
    assert [v.slice for v in slices([*rows, *pieces], baseline="baseline", new="new", rules=RULES)][2:] == ["folder=预订"]


def test_store_round_trip_gives_the_identical_verdict(tmp_path: Path) -> None:
    path = tmp_path / "losses.parquet"
    rows = _shifted([-0.5, -0.4, -0.6, -0.5, -0.45, -0.55])
    write_losses(path, rows)
    assert read_losses(path) == rows
    again = compare(read_losses(path), baseline="baseline", new="new", eval_set="recall", rules=RULES)
    assert again == compare(rows, baseline="baseline", new="new", eval_set="recall", rules=RULES)
