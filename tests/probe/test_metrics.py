"""Scores of answers: LLaMA-Factory's own numbers, and the others by hand."""

from pathlib import Path

import pytest

from datagen.jsonl import read_json
from datagen.probe.measure.metrics import char_f1, format_valid, score_answers
from datagen.probe.measure.questions import choose_questions
from datagen.probe.store.texts import Written
from datagen.schemas.record import TextRecord
from datagen.schemas.sample import Sample

GOLDEN: list[dict[str, object]] = read_json(Path(__file__).parent / "golden" / "llamafactory_predict.json")


def test_there_are_golden_pairs() -> None:
    assert len(GOLDEN) == 10


@pytest.mark.parametrize("row", GOLDEN, ids=[str(n) for n in range(len(GOLDEN))])
def test_rouge_and_bleu_are_those_of_llamafactory_predict(row: dict[str, object]) -> None:
    scores = score_answers([Written(str(row["answer"]), True)], [str(row["reference"])])
    found = scores.rouge_1, scores.rouge_2, scores.rouge_l, scores.bleu_4
    assert found == (row["rouge-1"], row["rouge-2"], row["rouge-l"], row["bleu-4"])


def test_means_over_answers() -> None:
    answers = [Written("退房时间是中午12:00。", True), Written("No pets", False)]
    scores = score_answers(answers, ["退房时间是中午12:00。", "Pets cost 100 yuan."])
    assert (scores.answers, scores.exact_match, scores.format_valid) == (2, 0.5, 0.5)
    assert scores.rouge_1 == pytest.approx((100.0 + 0.0) / 2)
    # common characters of "Nopets" and "Petscost100yuan.": o, e, t, s
    assert scores.char_f1 == pytest.approx((1 + 2 * 4 / (6 + 16)) / 2)
    assert 0 < scores.chrf < 100


def test_chrf_is_sacrebleu_s_over_the_corpus() -> None:
    one = score_answers([Written("房价每晚588元", True)], ["房价每晚588元"])
    assert one.chrf == pytest.approx(100.0)


def test_char_f1_by_hand() -> None:
    assert char_f1("早餐7点", "早餐八点") == pytest.approx(2 * 3 / 8)
    assert char_f1("", "") == 1.0
    assert char_f1("", "早餐") == 0.0


@pytest.mark.parametrize(
    ("answer", "ended", "reference", "valid"),
    [
        ("早餐七点", True, "早餐8点", True),
        ("早餐七点", False, "早餐8点", False),
        ("  ", True, "早餐8点", False),
        ('{"price": 5}', True, '{"price": 588}', True),
        ('{"cost": 5}', True, '{"price": 588}', False),
        ("price 5", True, '{"price": 588}', False),
        ("[1]", True, "[1, 2]", True),
    ],
)
def test_format_validity(answer: str, ended: bool, reference: str, valid: bool) -> None:
    assert format_valid(Written(answer, ended), reference) is valid


def test_as_many_references_as_answers() -> None:
    with pytest.raises(ValueError, match="1 answers for 0 references"):
        score_answers([Written("a", True)], [])


def test_plain_texts_are_not_asked(exam: list[Sample]) -> None:
    text = Sample.of(TextRecord(text="酒店介绍"), tags={"eval_set": "recall"})
    assert choose_questions([text], 5) == []
    chosen = choose_questions([*exam, text], 6)
    assert len(chosen) == 6
    assert {s.tags["eval_set"] for s in chosen} == {"recall", "unseen"}
