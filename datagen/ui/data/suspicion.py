"""Which rows a person should look at first, judged over a whole table at once.

Each flag names a defect and has a weight, the chance that a flagged row is bad; suspicion = 1 - the product of (1 - weight), so flags add
up and never exceed 1. The weights are a ranking, not measured probabilities. Flags: ``no_evidence``, ``number_not_in_evidence``,
``conflict`` (the same question is answered differently), ``near_duplicate``, ``language_differs``, ``very_short``, ``very_long`` (beyond
99 of 100 answers, and three times the median), and the audit's row scores that pass their limit (``datagen.score.defects``: mojibake,
personal data, placeholders, refusals, ...). A row that a stage dropped keeps that stage's reason.
"""

from typing import TYPE_CHECKING

from datagen.score.defects import SCORERS

if TYPE_CHECKING:
    import polars as pl

WEIGHTS = {
    "number_not_in_evidence": 0.7,
    "conflict": 0.6,
    "no_evidence": 0.5,
    "language_differs": 0.5,
    "near_duplicate": 0.3,
    "very_short": 0.2,
    "very_long": 0.2,
}
SCORE_WEIGHTS = {
    "empty_answer": 0.9,
    "empty_prompt": 0.9,
    "placeholder_leftover": 0.8,
    "mojibake": 0.7,
    "repetition": 0.6,
    "impossible_date": 0.6,
    "pii_id_number": 0.6,
    "pii_bank_card": 0.6,
    "pii_email": 0.4,
    "pii_phone": 0.4,
    "answer_copied_from_question": 0.5,
    "refusal": 0.4,
    "invalid_json": 0.4,
    "broken_table": 0.4,
    "bad_url": 0.4,
    "over_cutoff": 0.3,
}
"""Weights of the audit's scores; ``language_mismatch`` is left to ``language_differs``, which also sees short answers."""
NEAR = 0.55
_NUMBER = r"[0-9０-９]+(?:[.,:：][0-9０-９]+)*"
_CJK = r"[\u{4e00}-\u{9fff}]"


def suspicions(frame: "pl.DataFrame", evidence: "pl.Series", scores: "pl.DataFrame") -> "pl.DataFrame":
    """Add the columns ``suspicion`` and ``flags``.

    Args:
        frame: columns question, answer, language, reason, id.
        evidence: quotes of each row, joined.
        scores: the audit's scores of each row, as :func:`datagen.score.defects.score_rows` gives them.
    """
    import polars as pl

    question, answer = pl.col("question"), pl.col("answer")
    known = pl.concat_str([pl.col("evidence"), question], separator="\n")
    numbers = answer.str.extract_all(_NUMBER).list.eval(pl.element().str.replace_all(r"[,:：]", ""))
    stated = known.str.extract_all(_NUMBER).list.eval(pl.element().str.replace_all(r"[,:：]", ""))
    folded = question.str.to_lowercase().str.replace_all(r"\s+", "")
    kept = pl.col("reason") == ""
    length = answer.str.len_chars()
    zh_question, zh_answer = question.str.contains(_CJK), answer.str.contains(_CJK)
    has_words = answer.str.contains(r"\p{L}")
    judged = (
        frame.with_columns(evidence.alias("evidence"))
        .with_columns(folded.alias("folded"))
        .with_columns(
            no_evidence=pl.col("evidence").str.strip_chars() == "",
            number_not_in_evidence=(pl.col("evidence") != "") & (numbers.list.set_difference(stated).list.len() > 0),
            conflict=kept & (folded != "") & (answer.n_unique().over("folded", pl.col("reason")) > 1),
            language_differs=has_words & (zh_question != zh_answer),
            very_short=length < 2,
            very_long=(length > length.quantile(0.99)) & (length > 3 * length.median()),
            near_duplicate=pl.Series(_near(frame)),
        )
    )
    limits = {scorer.name: scorer.limit for scorer in SCORERS if scorer.name in SCORE_WEIGHTS}
    judged = judged.with_columns((scores[name] >= limit).alias(name) for name, limit in limits.items())
    named = WEIGHTS | SCORE_WEIGHTS
    weights = [pl.when(pl.col(flag)).then(1 - weight).otherwise(1.0) for flag, weight in named.items()]
    score = pl.lit(1.0)
    for weight in weights:
        score = score * weight
    flags = pl.concat_str([pl.when(pl.col(flag)).then(pl.lit(flag)) for flag in named], separator=" ", ignore_nulls=True)
    return judged.with_columns((1 - score).round(4).alias("suspicion"), flags.fill_null("").alias("flags")).select(
        *frame.columns, "suspicion", "flags"
    )


def _near(frame: "pl.DataFrame") -> list[bool]:
    """Say which kept rows are near another one, below the similarity at which the run drops."""
    from datagen.dedup import deduplicate

    kept = [i for i, reason in enumerate(frame["reason"]) if not reason]
    near = [False] * len(frame)
    texts = [f"{q}\n{a}" for q, a in zip(frame["question"], frame["answer"], strict=True)]
    for cluster in deduplicate([texts[i] for i in kept], threshold=NEAR).clusters:
        for member in cluster:
            near[kept[member]] = True
    return near
