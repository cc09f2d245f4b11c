"""Phrases that do not belong in training data: refusals, placeholders left unfilled, and one opening for everything."""

from typing import TYPE_CHECKING

from datagen.score.defects.base import count_matches

if TYPE_CHECKING:
    import polars as pl

REFUSAL = (
    r"(?i)\bas an? (?:ai|artificial intelligence|language model|large language model)\b"
    r"|\bi(?:'m| am) (?:sorry|afraid|unable|not able)\b[^.!?]{0,60}\b(?:can(?:'t|not)|unable|not able|won't|(?:provide|help|assist|answer))"
    r"|\bi (?:can(?:'t|not)|am unable to|am not able to|won't) (?:help|assist|provide|answer|fulfil|comply|do that)"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:ai|language model)\b"
    r"|作为(?:一个|一款|一名)?(?:人工智能|AI|ＡＩ|语言模型|大型语言模型|大语言模型)"
    r"|(?:抱歉|对不起|很遗憾)[，,。！!]?\s*(?:但|不过)?\s*我(?:无法|不能|没有办法|没办法|不会)"
    r"|我(?:无法|不能)(?:回答|提供|帮助|协助|满足|执行|完成)(?:您|你|这|该|此)"
)
PLACEHOLDER = (
    r"\{\{\s*[\w .:\-\u4e00-\u9fff]{1,40}\s*\}\}"
    r"|\[(?i:your|insert|company|recipient|customer|client|hotel|product|phone|email|address|name|date)\b[^\[\]\n(){}=]{0,40}\]"
    r"|<(?i:your|insert)\b[^<>\n]{1,40}>"
    r"|(?:【|\[)(?:你的|您的|公司|姓名|客户|产品|酒店|插入|填写|此处|请填)[^】\]\n]{0,20}(?:】|\])"
    r"|[（(](?:此处|请在此|请填写|待补充|待填写)[^）)\n]{0,20}[）)]"
    r"|(?i:lorem ipsum)|\bTODO:|\bX{4,}\b|\bX{2,}(?:公司|先生|女士|酒店|电话|元)"
)
_REFUSAL_HINTS = ("as a", "i'm", "i am", "i can", "i won't", "作为", "抱歉", "对不起", "很遗憾", "我无法", "我不能")
_PLACEHOLDER_HINTS = (
    "{{",
    *(f"[{word}" for word in ("your", "insert", "company", "recipient", "customer", "client", "hotel", "product", "phone", "email")),
    *("[address", "[name", "[date", "<your", "<insert", "[你", "[您", "[公司", "[姓名", "[客户", "[产品", "[酒店", "[插入", "[填写"),
    *("[此处", "[请填", "【", "此处", "请在此", "请填写", "待补充", "待填写", "lorem ipsum", "todo:", "xxxx", "xx公", "xx先", "xx女"),
    *("xx酒", "xx电", "xx元", "xxx公", "xxx先", "xxx女", "xxx酒", "xxx电", "xxx元"),
)


def refusal(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many refusal phrases an answer holds (zh, en). Range [0, inf); cost: one regex pass.

    Taught on purpose (``unanswerable`` rows) or inherited from the generator: only a reader can say which.
    """
    return count_matches(rows["completion"], REFUSAL, _REFUSAL_HINTS)


def placeholder_leftover(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many unfilled placeholders question and answer hold: ``{{name}}``, ``[Your Name]``, 【公司名称】. Range [0, inf)."""
    said, asked = (count_matches(rows[column], PLACEHOLDER, _PLACEHOLDER_HINTS) for column in ("completion", "prompt"))
    return said + asked


def template_rate(rows: "pl.DataFrame") -> "pl.Series":
    """Return the share of rows whose question opens like this one: first four words, or six Chinese characters, digits masked.

    Range (0, 1]; 0 for rows without a question. Cost: one group-by. A set with one opening for everything teaches that opening.
    """
    import polars as pl

    folded = pl.col("prompt").str.to_lowercase().str.replace_all(r"\d+", "0").str.strip_chars()
    words = folded.str.extract(r"^((?:[^\s]+\s+){0,3}[^\s]+)", 1)
    opening = pl.when(pl.col("language") == "zh").then(folded.str.slice(0, 6)).otherwise(words).fill_null("")
    n = max(rows.height, 1)
    return (
        rows.select(opening=opening)
        .select(pl.when(pl.col("opening") == "").then(0.0).otherwise(pl.len().over("opening") / n))
        .to_series()
        .cast(pl.Float64)
    )
