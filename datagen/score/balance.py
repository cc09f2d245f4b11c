"""Balance: what kinds of rows a set is made of. Question types, row style, languages, lengths, record kinds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen.jsonl import JsonObject

if TYPE_CHECKING:
    import polars as pl

# The first that matches names the type; tried on the last line of the question, and only where it is no instruction.
_TYPES: tuple[tuple[str, str], ...] = (
    ("how_much", r"多少|几(?:点|天|个|次|折|元|岁|位|晚|小时)|多久|多长|多大|多远|(?i:\bhow (?:much|many|long|far|old|often)\b)"),
    ("why", r"为什么|为何|原因是|怎么会|(?i:^\W*why\b|\bwhat is the reason\b)"),
    ("how", r"如何|怎么|怎样|步骤|流程|(?i:^\W*how\b|\bhow (?:do|can|should|to|would|could|does|is|are)\b)"),
    ("when", r"什么时候|何时|哪天|哪一天|(?i:^\W*when\b|\bwhat time\b|\bby when\b)"),
    ("where", r"哪里|哪儿|何处|在哪|(?i:^\W*where\b)"),
    ("who", r"谁|哪位|(?i:^\W*who(?:m|se)?\b)"),
    ("compare", r"区别|不同|相比|哪个更|还是.{0,12}[?？]|(?i:\bdifference between\b|\bcompare\b|\bversus\b)"),
    (
        "yes_no",
        r"吗\s*[?？。]?\s*$|是否|能否|可否|能不能|可不可以"
        r"|(?i:^\W*(?:is|are|can|could|do|does|did|may|will|would|should|must|has|have)\b.*\?\s*$)",
    ),
    ("what", r"什么|哪些|哪个|哪种|是指|(?i:^\W*(?:what|which)\b|\bwhat (?:is|are|does)\b)"),
)
# Tried on the first line; a last line that ends with a question mark is a question all the same.
_INSTRUCTION = (
    r"^\W*(?:请(?:[^问]|$)|给出|列出|写|编写|生成|翻译|总结|解释|描述|分析|设计|创建|计算|改写|提供|比较|根据|将|把|为[^什何]|用|说明|介绍|讲)"
    r"|(?i:^\W*(?:please\s+)?(?:write|give|list|explain|describe|create|generate|translate|summari[sz]e|compose|design|rewrite|provide|name"
    r"|find|classify|identify|suggest|make|tell|edit|convert|construct|calculate|analy[sz]e|outline|discuss|propose|draft|show|use)\b)"
)


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts, most frequent first, and length percentiles in estimated tokens (p5, p50, p95, max) of questions and answers."""

    question_types: dict[str, int]
    styles: dict[str, int]
    languages: dict[str, int]
    kinds: dict[str, int]
    datasets: dict[str, int]
    lengths: dict[str, dict[str, float]]

    def to_json(self) -> JsonObject:
        return {
            "question_types": self.question_types,
            "row_style": self.styles,
            "languages": self.languages,
            "kinds": self.kinds,
            "datasets": self.datasets,
        }


def measure_balance(rows: "pl.DataFrame", scores: "pl.DataFrame") -> Balance:
    """Count a frame's rows; question types are taken from tags where there are some, else from the question's words."""
    import polars as pl

    typed = rows.with_columns(question_type=question_types())
    return Balance(
        question_types=_counts(typed.filter(pl.col("question_type") != ""), "question_type"),
        styles=_counts(rows.filter(pl.col("style") != ""), "style"),
        languages=_counts(rows, "language"),
        kinds=_counts(rows, "kind"),
        datasets=_counts(rows, "dataset"),
        lengths={name: _lengths(scores[f"{name}_tokens"]) for name in ("prompt", "completion")},
    )


def question_types() -> "pl.Expr":
    """Return the type of each row's question: the row's own tag, else one of how_much, why, how, when, where, who, compare, yes_no, what,
    instruction, other; '' for plain text."""
    import polars as pl

    last = pl.col("prompt").str.strip_chars().str.split("\n").list.last()
    first = pl.col("prompt").str.strip_chars().str.split("\n").list.first()
    chain = pl.when(pl.col("question_type") != "").then(pl.col("question_type")).when(pl.col("kind") == "text").then(pl.lit(""))
    asked = last.str.contains(r"[?？]\W*$")
    chain = chain.when(first.str.contains(_INSTRUCTION) & ~asked).then(pl.lit("instruction"))
    for name, pattern in _TYPES:
        chain = chain.when(last.str.contains(pattern)).then(pl.lit(name))
    return chain.otherwise(pl.lit("other"))


def _lengths(tokens: "pl.Series") -> dict[str, float]:
    return {**percentiles(tokens), "max": float(tokens.max() or 0.0)}  # type: ignore[arg-type]


def _counts(rows: "pl.DataFrame", column: str) -> dict[str, int]:
    import polars as pl

    counted = rows.group_by(column).agg(n=pl.len()).sort(["n", column], descending=[True, False])
    return dict(zip(counted[column].to_list(), counted["n"].to_list(), strict=True))


def percentiles(values: "pl.Series") -> dict[str, float]:
    """Return p5, p50 and p95, each a value that occurs; 0 where there is none."""
    return {f"p{round(q * 100)}": float(values.quantile(q, "nearest") or 0.0) for q in (0.05, 0.5, 0.95)}
