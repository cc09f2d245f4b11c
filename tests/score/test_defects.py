"""Row scorers: exact values on real sentences, and laws."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score.defects import SCORERS, score_rows
from datagen.score.defects.encoding import broken_runs
from datagen.score.defects.form import broken_json, broken_tables
from datagen.score.defects.personal import find_cards, find_emails, find_ids, find_phones
from datagen.score.frame import build_frame
from datagen.score.source import SourceRow, open_source
from datagen.text import detect_language, estimate_tokens

GOOD = (
    ("退房时间是几点？", "退房时间为中午12:00，金卡会员可延迟到14:00，无需另付费用。"),
    ("When is breakfast served?", "Breakfast is served from 7:00 to 10:30 on the second floor; it costs 25 dollars a guest."),
    ("押金怎么退？", "押金¥300在退房后1-3个工作日内原路退回，客服热线400-820-8820，邮箱 service@drift.com。"),
    ("Café Ærø opens when?", "Café Ærø is open daily; see https://drift.com/cafe?day=1#top or http://localhost:8080/x."),
    ("给出房型表", "| 房型 | 价格 |\n|---|---|\n| 大床房 | 588 |\n| 套房 | 988 |"),
    ("返回 JSON", '{"room": "deluxe", "price": 588, "tags": ["river", "bath"]}'),
    ("订单号是什么？", "订单号 202511080012345 与发票号 4403 2025 11 并列显示，2024年2月29日入住有效。"),
)
BAD = (
    ("mojibake", "退房时间？", "ä¸­å�ˆ12ç\x82¹é\x80\x80æ\x88¿".replace("\ufffd", "\x8d")),
    ("mojibake", "Check-out?", "You donâ€™t pay for late check-out before 14:00."),
    ("mojibake", "退房？", "您好，退房时间为中午十二点整".encode().decode("gb18030", "ignore")),
    ("mojibake", "退房？", "退房时间\ufffd\ufffd12点"),
    ("repetition", "早餐几点？", "早餐七点开始供应。" * 6),
    ("repetition", "Breakfast?", "Breakfast starts at seven. " * 6),
    ("refusal", "取消政策？", "抱歉，我无法回答您的这个问题。"),
    ("refusal", "Cancel?", "As an AI language model, I do not have access to bookings."),
    ("placeholder_leftover", "Who are you?", "I am {{name}}, an assistant developed by {{author}}."),
    ("placeholder_leftover", "写信", "尊敬的【客户姓名】：感谢您的预订。"),
    ("pii_email", "联系谁？", "请联系张伟，邮箱 zhangwei1987@163.com。"),
    ("pii_phone", "联系谁？", "请拨打王经理手机13912345678。"),
    ("pii_phone", "Whom do I call?", "Call Mrs. Lee at (212) 736-5000 after six."),
    ("pii_id_number", "入住登记", "身份证号11010519491231002X已登记。"),
    ("pii_id_number", "Register", "Her social security number is 536-22-8726."),
    (
        "pii_bank_card",
        "退款到哪？",
        "退款到尾号对应的卡 6222 0212 3456 7890 128。".replace("6222 0212 3456 7890 128", "4111 1111 1111 1111"),
    ),
    ("answer_copied_from_question", "退房时间一般是几点？", "退房时间一般是几点"),
    ("answer_copied_from_question", "What time is check-out at this hotel?", "What time is check-out at this hotel?"),
    ("language_mismatch", "请用中文说明一下退房流程是什么", "Please return the key at the front desk before noon and sign the bill."),
    ("invalid_json", "JSON", '{"room": "deluxe", "price": }'),
    ("invalid_json", "JSON", 'Here it is:\n```json\n{"room": "deluxe",}\n```'),
    ("broken_table", "表", "| 房型 | 价格 |\n|---|---|---|\n| 大床房 | 588 |"),
    ("bad_url", "网址", "请访问 http:/drift.com/help 查询。"),
    ("bad_url", "url", "See https://drift for details."),
    ("impossible_date", "哪天？", "优惠到2025-02-30为止。"),
    ("impossible_date", "When?", "It ends on February 31."),
    ("empty_answer", "退房？", " \u200b\n"),
    ("empty_prompt", " ", "退房时间为中午。"),
    ("over_cutoff", "全文？", "退房时间为中午十二点。" * 400),
)


def flags(question: str, answer: str) -> set[str]:
    frame = build_frame([SourceRow("x", 1, Sample.of(question_answer(question, answer)))])
    scores = score_rows(frame)
    return {s.name for s in SCORERS if s.limit is not None and scores[s.name][0] >= s.limit}


@pytest.mark.parametrize(("question", "answer"), GOOD)
def test_good_rows_have_no_flags(question: str, answer: str) -> None:
    assert flags(question, answer) == set()


@pytest.mark.parametrize(("code", "question", "answer"), BAD)
def test_bad_rows_are_flagged_for_what_is_wrong(code: str, question: str, answer: str) -> None:
    assert code in flags(question, answer)


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ("|a|b|\n|-|-|\n|1|2|3|\n|1|2|3|\n\n|a|\n|-|\n|1|2|", 2),
        ("|a|b|\n|-|\n|-|-|\n|1|2|", 2),
        ("|-|\n" * 30_000, 0),
    ],
    ids=["one a table", "rule of another width", "many rules"],
)
def test_each_broken_table_is_told_once_and_in_linear_time(table: str, problems: int) -> None:
    assert len(broken_tables(table)) == problems


def test_json_after_json_is_read_in_linear_time_and_an_error_names_its_place() -> None:
    assert broken_json("```json\n" + "{} " * 200_000) == []
    assert broken_json('{"a": 1}\n{"b": }') == ["Expecting value at character 15"]
    assert broken_json('{"a": 1} is JSON') == []


def test_personal_data_needs_its_check_digit() -> None:
    assert find_ids("11010519491231002X 110105194912310021") == ["11010519491231002X"]
    assert find_cards("4111 1111 1111 1111, 4111 1111 1111 1112") == ["4111 1111 1111 1111"]
    assert find_emails("a.li@corp.cn help@corp.cn bob@example.com") == ["a.li@corp.cn"]
    assert find_phones("订单 20251109123 手机 +86 139-1234-5678，座机 010-62345678") == ["+86 139-1234-5678", "010-62345678"]


@given(st.text(alphabet="退房时间为中午十二点可以延迟到下午两请在前台办理手续", min_size=4, max_size=40))
def test_wrongly_decoded_chinese_is_found_and_right_chinese_is_not(text: str) -> None:
    assert broken_runs(text) == []
    assert broken_runs(text.encode().decode("latin-1"))


@given(st.integers(2, 9))
def test_a_text_repeated_k_times_repeats_by_k_minus_one_over_k(k: int) -> None:
    text = "早餐七点开始供应，地点在二楼餐厅，未含早餐的客人每位收费六十八元。" * k
    scores = score_rows(build_frame([SourceRow("x", 1, Sample.of(question_answer("早餐？", text)))]))
    assert scores["repetition"][0] == pytest.approx((k - 1) / k)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["早餐", "7:00", "breakfast", "is", "。", ",", " ", "大床房", "3.14", "cancellation", "a"]), max_size=60))
def test_vectorised_figures_agree_with_the_text_module(parts: list[str]) -> None:
    text = " ".join(parts)
    frame = build_frame([SourceRow("x", 1, Sample.of(question_answer("?", text)))])
    assert frame["language"][0] == detect_language(f"?\n{text}")
    assert score_rows(frame)["completion_tokens"][0] == pytest.approx(estimate_tokens(text), abs=2 + 0.1 * estimate_tokens(text))


def test_token_estimates_agree_on_real_sets(shared_data: Path) -> None:
    for name in ("alpaca_zh_demo.json", "alpaca_en_demo.json"):
        frame = build_frame(open_source(shared_data / "llamafactory_demo" / name).rows[:300])
        own = sum(score_rows(frame)["completion_tokens"].to_list())
        reference = sum(estimate_tokens(text) for text in frame["completion"].to_list())
        assert own == pytest.approx(reference, rel=0.03)


def test_template_rate_is_the_share_of_rows_with_one_opening() -> None:
    questions = [
        "请问豪华大床房多少钱？",
        "请问豪华大床房有浴缸吗？",
        "如何取消订单？",
        "How do I cancel my booking?",
        "How do I cancel a room?",
    ]
    rows = [SourceRow("x", i, Sample.of(question_answer(q, "答案"))) for i, q in enumerate(questions)]
    assert score_rows(build_frame(rows))["template_rate"].to_list() == [0.4, 0.4, 0.2, 0.4, 0.4]
