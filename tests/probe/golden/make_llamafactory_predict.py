"""Write what LLaMA-Factory's ``predict`` reports for the pairs below, with its own class. Run it in a venv that has LLaMA-Factory 0.9.5,
jieba, nltk and rouge-chinese: ``python tests/probe/golden/make_llamafactory_predict.py``.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

PAIRS = (
    ("退房时间是中午12:00。", "退房时间是中午12:00。"),
    ("退房时间为下午14点", "退房时间是中午12:00，延迟到14:00退房需要支付100元。"),
    ("豪华大床房每晚588元，含双早。", "豪华大床房每晚688元，含早餐。"),
    ("酒店提供免费停车", "住店客人可免费使用地下停车场，每间房限一辆车。"),
    ("早餐早餐早餐早餐", "早餐供应时间为7:00至10:30。"),
    ("", "可以携带宠物，每晚加收100元清洁费。"),
    ("Breakfast is served from 7:00 to 10:30.", "Breakfast is served from 7:00 to 10:30 on the second floor."),
    ("The room costs 128 dollars", "The deluxe room costs 128 dollars a night, tax included."),
    ("Yes", "No, late check-out costs 30 dollars."),
    ("我们的 WiFi 密码是 hotel2024。", "WiFi 密码为 hotel2024，全馆可用。"),
)


class _Characters:
    """A tokenizer whose ids are code points."""

    pad_token_id = 0

    def batch_decode(self, rows: Any, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        return ["".join(chr(i) for i in row if i) for row in rows]


def _ids(texts: list[str]) -> Any:
    width = max(len(t) for t in texts)
    return np.array([[ord(c) for c in t] + [0] * (width - len(t)) for t in texts])


if __name__ == "__main__":
    from llamafactory.train.sft.metric import ComputeSimilarity  # type: ignore[import-not-found]

    metric: Any = ComputeSimilarity(_Characters())
    rows: list[dict[str, object]] = []
    for answer, reference in PAIRS:
        scores = metric(SimpleNamespace(predictions=_ids([answer or "\0"]), label_ids=_ids([reference])))
        rows.append({"answer": answer, "reference": reference, **scores})
    text = json.dumps(rows, ensure_ascii=False, indent=1)
    Path(__file__).with_name("llamafactory_predict.json").write_text(text + "\n", encoding="utf-8")
