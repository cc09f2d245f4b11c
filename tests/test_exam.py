"""The exam: what is held out, which rows are refused, and that a frozen one does not change."""

from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.exam import Exam, choose_unseen_documents
from datagen.hashing import sha256_hex
from datagen.jsonl import read_json, read_rows, write_jsonl
from datagen.schemas.document import Document
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample

RULES = {
    "退房": "退房时间是中午 12 点，钻石会员可以延迟到下午 4 点退房，超时按半天房费收取。",
    "押金": "国内酒店的押金由前台收取，退房后三个工作日内按原支付方式退回账户。",
    "宠物": "每间客房最多可以携带一只体重不超过八公斤的小型犬，清洁费按次收取。",
    "早餐": "早餐厅位于二层，工作日六点半开门，周末七点开门，儿童身高不足一米二免费。",
    "发票": "电子发票在离店后次日开具，抬头错误的六十天之内可以免费重开两次。",
}


def _document(path: str, text: str, language: str = "zh") -> Document:
    return Document(
        path=path, sha256=sha256_hex(text), media_type="md", language="zh" if language == "zh" else "en", title=path, text=text, sections=()
    )


def _sample(question: str, answer: str, document: str = "", *, eval_set: str = "", quote: str = "") -> Sample:
    evidence = (EvidenceSpan(document=document, start=0, end=len(quote), quote=quote),) if quote else ()
    tags = {"eval_set": eval_set} if eval_set else {}
    return Sample.of(question_answer(question, answer), provenance=Provenance(document=document, evidence=evidence), tags=tags)


RECALL = _sample("钻石会员最晚几点退房？", "钻石会员可以延迟到下午四点退房，超时按半天房费收取。", "退房.md", eval_set="recall")
UNSEEN = _sample("带一只小型犬入住要收多少清洁费？", "每次 80 元。", "宠物.md", eval_set="unseen", quote=RULES["宠物"])
VAULT = _sample("What time does breakfast open on a Sunday?", "At seven.", "breakfast.md", eval_set="vault")
GOLD = _sample("发票抬头写错了，可以免费重开几次？", "两次。", "发票.md", eval_set="gold")
EXAM = Exam((RECALL, UNSEEN, VAULT, GOLD))


def test_unseen_documents_are_whole_near_duplicate_groups() -> None:
    documents = [_document(f"{name}.md", text * 2) for name, text in RULES.items()]
    documents += [_document(f"{name}-副本.md", f"{text * 2}本页于本月更新。") for name, text in RULES.items()]
    chosen = choose_unseen_documents(documents, ratio=0.4, salt="盐")
    assert len(chosen) == 4
    assert {path.removesuffix(".md").removesuffix("-副本") for path in chosen} == {
        path.removesuffix(".md") for path in chosen if "副本" not in path
    }


@pytest.mark.parametrize("salt", ["甲", "乙", "丙"])
def test_something_stays_for_training_in_each_language(salt: str) -> None:
    documents = [_document(f"{name}.md", text) for name, text in RULES.items()]
    documents.append(_document("en.md", "Guests may check out until noon on the day of departure.", "en"))
    chosen = choose_unseen_documents(documents, ratio=0.99, salt=salt)
    assert "en.md" not in chosen
    assert len(chosen) == 4


def test_no_ratio_holds_nothing_out_and_the_order_of_salts_is_stable() -> None:
    documents = [_document(f"{name}.md", text) for name, text in RULES.items()]
    assert choose_unseen_documents(documents, ratio=0, salt="盐") == frozenset()
    assert choose_unseen_documents(documents, ratio=0.4, salt="盐") == choose_unseen_documents(documents, ratio=0.4, salt="盐")


@pytest.mark.parametrize(
    ("question", "answer", "document", "reason"),
    [
        ("宠物可以进餐厅吗？", "不可以。", "宠物.md", "from_unseen_document"),
        ("带一只小型犬入住，要收多少清洁费呢？", "每次 80 元。", "常见问题.md", "leaks_into_unseen"),
        ("钻石会员最晚几点退房", "下午四点。", "退房.md", "leaks_into_recall"),
        ("延迟退房有什么规定？", "钻石会员可以延迟到下午四点退房，超时按半天房费收取！", "退房.md", "leaks_into_recall"),
        ("what time does breakfast open on a sunday", "7:00", "breakfast.md", "leaks_into_vault"),
        ("发票抬头写错了，可以免费重开几次？", "2 次。", "发票.md", "leaks_into_gold"),
    ],
)
def test_a_training_row_that_leaks_is_refused(question: str, answer: str, document: str, reason: str) -> None:
    verdict = EXAM.refuse(_sample(question, answer, document))
    assert verdict is not None
    assert verdict[0] == reason


def test_evidence_of_an_unseen_document_is_refused_under_another_name() -> None:
    verdict = EXAM.refuse(_sample("客房对犬只体重有何限制？", "八公斤。", "宠物-副本.md", quote=RULES["宠物"]))
    assert verdict is not None
    assert verdict[0] == "leaks_into_unseen"
    assert verdict[1].startswith("evidence: exact of ")


@pytest.mark.parametrize(
    ("question", "answer"),
    [("押金多久退回？", "三个工作日。"), ("发票什么时候开？", "两次。"), ("Is parking free?", "At seven.")],
)
def test_another_question_may_have_the_same_short_answer(question: str, answer: str) -> None:
    assert EXAM.refuse(_sample(question, answer, "押金.md")) is None


def test_quarantine_keeps_order_and_says_why() -> None:
    clean = [_sample("押金多久退回？", "三个工作日。", "押金.md"), _sample("Is parking free?", "Yes.", "parking.md")]
    leaking = _sample("宠物可以进餐厅吗？", "不可以。", "宠物.md")
    result = EXAM.quarantine([clean[0], leaking, clean[1]])
    assert list(result.kept) == clean
    assert [(d.sample, d.reason, d.detail) for d in result.dropped] == [(leaking, "from_unseen_document", "宠物.md")]


def test_freeze_and_load(tmp_path: Path) -> None:
    split_json, exam_jsonl = tmp_path / "split.json", tmp_path / "exam.jsonl"
    EXAM.freeze(split_json, exam_jsonl, salt="盐", ratios={"recall": 0.1})
    assert Exam.load(split_json, exam_jsonl).samples == EXAM.samples
    assert read_json(split_json)["ids"] == {"recall": [RECALL.id], "unseen": [UNSEEN.id], "vault": [VAULT.id], "gold": [GOLD.id]}
    before = split_json.read_bytes()
    Exam(EXAM.samples[::-1]).freeze(split_json, exam_jsonl, salt="盐", ratios={"recall": 0.1})
    assert split_json.read_bytes() == before


def test_another_exam_is_not_frozen_over_the_first(tmp_path: Path) -> None:
    split_json, exam_jsonl = tmp_path / "split.json", tmp_path / "exam.jsonl"
    EXAM.freeze(split_json, exam_jsonl, salt="盐", ratios={})
    with pytest.raises(UsageError, match="another exam is frozen"):
        Exam((RECALL,)).freeze(split_json, exam_jsonl, salt="盐", ratios={})


def test_a_changed_answer_a_lost_row_and_a_lost_file_are_found(tmp_path: Path) -> None:
    split_json, exam_jsonl = tmp_path / "split.json", tmp_path / "exam.jsonl"
    EXAM.freeze(split_json, exam_jsonl, salt="盐", ratios={})
    text = exam_jsonl.read_text(encoding="utf-8")
    exam_jsonl.write_text(text.replace("每次 80 元。", "每次 90 元。"), encoding="utf-8")
    with pytest.raises(DataError, match=r"exam\.jsonl:2: .*changed"):
        Exam.load(split_json, exam_jsonl)
    write_jsonl(exam_jsonl, [s.to_json() for s in EXAM.samples[:-1]])
    with pytest.raises(DataError, match="changed since it was frozen"):
        Exam.load(split_json, exam_jsonl)
    exam_jsonl.unlink()
    with pytest.raises(DataError, match="is missing"):
        Exam.load(split_json, exam_jsonl)


def test_a_row_moved_to_another_part_or_a_broken_file_is_found(tmp_path: Path) -> None:
    split_json, exam_jsonl = tmp_path / "split.json", tmp_path / "exam.jsonl"
    EXAM.freeze(split_json, exam_jsonl, salt="盐", ratios={})
    write_jsonl(exam_jsonl, [s.tagged(eval_set="vault").to_json() for s in EXAM.samples])
    with pytest.raises(DataError, match="changed since it was frozen"):
        Exam.load(split_json, exam_jsonl)
    write_jsonl(exam_jsonl, [{"id": "x"}])
    with pytest.raises(DataError, match=r"exam\.jsonl:1: not a sample"):
        Exam.load(split_json, exam_jsonl)
    for broken in ("[]", '{"ids": {"recall": 3}}'):
        split_json.write_text(broken, encoding="utf-8")
        with pytest.raises(DataError, match=r"split\.json: not a frozen exam"):
            Exam.load(split_json, exam_jsonl)


def test_one_document_of_three_is_held_out_however_small_the_ratio() -> None:
    documents = [_document(f"{name}.md", text) for name, text in list(RULES.items())[:3]]
    assert len(choose_unseen_documents(documents, ratio=0.1, salt="盐")) == 1
    assert choose_unseen_documents(documents[:2], ratio=0.1, salt="盐") == frozenset()


@pytest.mark.parametrize(("room", "kept"), [("二", 1), ("一", 0)])
def test_a_row_of_the_same_template_about_another_room_is_not_quarantined(room: str, kept: int) -> None:
    question = "请问{}号楼的住客在旺季期间取消预订需要提前多少个小时通知酒店前台才不会被收取首晚房费？"
    exam = Exam((_sample(question.format("一"), "提前二十四小时。", "a.md", eval_set="unseen"),))
    assert len(exam.quarantine([_sample(question.format(room), "七十二小时，节假日一律不退。", "b.md")]).kept) == kept


PASSAGE = "Guests who arrive after eleven must tell the front desk by telephone before six on the day they come"


def test_a_rare_passage_of_an_unseen_row_is_quarantined_and_of_a_recall_row_allowed() -> None:
    asks = "Summarise this rule for a colleague who has just joined us and knows none of our houses yet"
    train = [_sample("What about late arrival?", f"{' '.join(f'word{i}' for i in range(40))} {PASSAGE}", "a.md")]
    for eval_set, kept in (("recall", 1), ("unseen", 0)):
        exam = Exam((_sample(asks, f"{PASSAGE} {' '.join(f'other{i}' for i in range(40))}", "b.md", eval_set=eval_set),))
        result = exam.quarantine(train)
        assert len(result.kept) == kept
        assert [d.reason for d in result.dropped] == ["leaks_into_unseen"] * (1 - kept)
        assert all(d.detail.startswith("passage: rare_ngram of ") for d in result.dropped)


def test_a_row_with_a_few_words_changed_is_quarantined_by_its_answer() -> None:
    exam = Exam((_sample("请问酒店的健身房几点开门呢？", "早上七点。", eval_set="recall"),))
    near = _sample("请问酒店健身房几点钟开门呢？", "早上七点。")
    assert [(d.reason, d.detail.split(":")[0]) for d in exam.quarantine([near]).dropped] == [("leaks_into_recall", "question and answer")]


def test_exam_rows_are_samples(tmp_path: Path) -> None:
    EXAM.freeze(tmp_path / "split.json", tmp_path / "exam.jsonl", salt="盐", ratios={})
    assert [Sample.model_validate(row.value).id for row in read_rows(tmp_path / "exam.jsonl")] == [s.id for s in EXAM.samples]
