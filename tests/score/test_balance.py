"""Question types by their words, zh and en."""

import polars as pl
import pytest

from datagen.score.balance import question_types


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("请问早餐几点开始？", "how_much"),
        ("请问怎么取消订单？", "how"),
        ("请问在哪里停车", "where"),
        ("请问可以带宠物吗？", "yes_no"),
        ("请列出退房的步骤", "instruction"),
        ("翻译这句话", "instruction"),
        ("How much is late check-out?", "how_much"),
        ("How do I cancel?", "how"),
        ("Where do I park?", "where"),
        ("Can I bring a dog?", "yes_no"),
        ("Please list the steps of check-out.", "instruction"),
        ("为什么要押金", "why"),
        ("根据会员规则，钻石会员几点退房？", "how_much"),
        ("用户怎么取消订单？", "how"),
        ("为新员工写一段介绍", "instruction"),
        ("Why is there a deposit?", "why"),
        ("退房", "other"),
    ],
)
def test_a_question_has_the_type_of_its_words(question: str, kind: str) -> None:
    frame = pl.DataFrame({"prompt": [question], "question_type": [""], "kind": ["conversation"]})
    assert frame.select(question_types())[:, 0].to_list() == [kind]
