"""Documents with nothing but planted facts: tables in four folders (families), each family with a wording of its own.

The rules find exactly three facts in a table's row and ask each in several phrasings, so how many rows bring something new is known: the
first ``3 * rows`` of a document, and then only paraphrases. A family's wording is what a tiny model can learn of it.
"""

import random
from pathlib import Path

FAMILIES = {
    "会员": "凭金卡领取礼遇{}份",
    "停车": "地库东侧第{}号车位",
    "早餐": "主厨现做小食共{}道",
    "会议": "投影与茶歇合计{}元",
}
NAMES = (
    *("松涛", "白鹭", "云栖", "听雨", "竹影", "青石", "月湖", "桂香", "枫桥", "雪松"),
    *("海棠", "兰亭", "荷风", "梅岭", "柳岸", "菊园", "石泉", "杏林", "沙洲", "鹿鸣"),
)
FACTS_PER_ROW = 3


def write_documents(folder: Path, *, per_family: int, rows: int, seed: int = 0) -> int:
    """Write ``per_family`` documents (at most 5) of each family, ``rows`` table rows each; return the number of facts."""
    rng = random.Random(seed)
    for f, (family, wording) in enumerate(FAMILIES.items()):
        for d in range(per_family):
            name = NAMES[5 * f + d]
            lines = [f"# {name}{family}一览", "", f"| 楼层 | {family}标准 | {family}补充 |", "| --- | --- | --- |"]
            for floor in range(2, 2 + rows):
                first, second = (wording.format(rng.randrange(100, 999)) for _ in range(2))
                lines.append(f"| {name}{floor}层 | {first} | {second} |")
            path = folder / family / f"{name}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return FACTS_PER_ROW * rows * per_family * len(FAMILIES)
