import pytest

from datagen.pipeline.priorities import Priority, priorities, quotas
from datagen.probe.store.losses import LossRow
from datagen.schemas.document import Document, Section
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample

FIRST = "## 退房时间\n\n普通客人最晚中午12点退房，延迟退房需要提前一天申请。\n\n"
SECOND = "## 发票\n\n电子发票在离店后三天内发到预订时填写的邮箱，抬头不能修改。\n"


def _document(path: str) -> Document:
    text = FIRST + SECOND
    sections = (
        Section(heading_path=("退房时间",), start=0, end=len(FIRST)),
        Section(heading_path=("发票",), start=len(FIRST), end=len(text)),
    )
    return Document(path=path, sha256="0" * 64, media_type="md", language="zh", title=path, text=text, sections=sections)


def _row(question: str, document: str, heading: str, start: int = 10, *, eval_set: str = "") -> Sample:
    span = EvidenceSpan(document=document, start=start, end=start + 8, quote="x" * 8)
    provenance = Provenance(document=document, heading_path=(heading,), evidence=(span,))
    return Sample.of(question_answer(question, "答案。"), provenance=provenance, tags={"eval_set": eval_set} if eval_set else {})


def _loss(sample: Sample, nll: float, *, arm: str = "new", seed: int = 0) -> LossRow:
    return LossRow("r", arm, seed, 10, True, sample.id, sample.provenance.document, "recall", "zh", nll, 10, 0.0, 0)


DOCUMENTS = [_document("会员/积分.md"), _document("会员/等级.md"), _document("发票/开票.md"), _document("held/out.md")]
COVERED = [_row(f"积分第{i}问？", "会员/积分.md", "退房时间", start) for i, start in enumerate((10, len(FIRST) + 10))]
EXAM = [
    _row("会员等级怎么升？", "会员/等级.md", "发票", eval_set="recall"),
    _row("发票什么时候发？", "发票/开票.md", "发票", eval_set="recall"),
    _row("没见过的问题？", "held/out.md", "发票", eval_set="unseen"),
]
LOSSES = [_loss(EXAM[0], 5.0), _loss(EXAM[1], 30.0), _loss(EXAM[2], 90.0), _loss(EXAM[1], 40.0, arm="base", seed=-1)]


def test_the_uncovered_folder_with_the_highest_loss_comes_first() -> None:
    ranked = priorities(DOCUMENTS, COVERED, EXAM, LOSSES, rows=10)
    assert [(p.slice, p.rows, p.covered, p.passages, p.questions) for p in ranked] == [("发票", 0, 0, 2, 1), ("会员", 2, 2, 4, 1)]
    assert (ranked[0].loss, ranked[0].base_loss, ranked[1].loss) == (3.0, 4.0, 0.5)
    mean = 35 / 20
    assert ranked[0].score == pytest.approx((30 + mean * 200) / 210)
    assert ranked[1].score == pytest.approx(0.5 * (5 + mean * 200) / 210)
    assert ranked[0].failing[0].question == "发票什么时候发？"
    assert quotas(ranked) == {"发票": 7, "会员": 3}


def test_documents_held_out_whole_are_never_proposed() -> None:
    assert {p.slice for p in priorities(DOCUMENTS, COVERED, EXAM, LOSSES, rows=10, by="document")} == {d.path for d in DOCUMENTS[:3]}


def test_sections_are_ranked_but_give_no_quotas() -> None:
    ranked = priorities(DOCUMENTS[:1], COVERED[:1], [], [], rows=4, by="section")
    assert [(p.slice, p.coverage, p.quota) for p in ranked] == [("会员/积分.md § 发票", 0.0, 4), ("会员/积分.md § 退房时间", 1.0, 0)]
    assert quotas(ranked) == {}


def test_once_everything_is_covered_rows_are_spread_by_size() -> None:
    everywhere = [_row(f"{d.path}{s}？", d.path, "发票", s) for d in DOCUMENTS[:3] for s in (10, len(FIRST) + 10)]
    assert quotas(priorities(DOCUMENTS, everywhere, EXAM, LOSSES, rows=9)) == {"会员": 6, "发票": 3}


@pytest.mark.parametrize("rows", [1, 7, 100, 1001])
def test_quotas_add_up(rows: int) -> None:
    ranked: list[Priority] = priorities(DOCUMENTS, COVERED, EXAM, LOSSES, rows=rows, by="document")
    assert sum(p.quota for p in ranked) == rows
