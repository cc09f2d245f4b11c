"""Row scorers: everything measured on a row's text alone, and the one table of them.

Only ``empty_answer`` and ``empty_prompt`` take a row out by default. All others order a review queue: most selection by self-made scores
does not beat a random subset, so nothing here drops a row that a person might want.
"""

from typing import TYPE_CHECKING

from datagen.score.defects import copying, encoding, form, language, personal, phrases, repetition, sanity, size
from datagen.score.defects.base import Scorer, first

if TYPE_CHECKING:
    import polars as pl

SCORERS: tuple[Scorer, ...] = (
    Scorer("empty_answer", size.empty_answer, 1),
    Scorer("empty_prompt", size.empty_prompt, 1, column="prompt"),
    Scorer("prompt_tokens", size.prompt_tokens),
    Scorer("completion_tokens", size.completion_tokens),
    Scorer("over_cutoff", size.over_cutoff, 1),
    Scorer("mojibake", encoding.mojibake, 1, encoding.show_mojibake),
    Scorer("repetition", repetition.repetition, 0.5),
    Scorer("refusal", phrases.refusal, 1, first(phrases.REFUSAL)),
    Scorer("placeholder_leftover", phrases.placeholder_leftover, 1, first(phrases.PLACEHOLDER)),
    Scorer("template_rate", phrases.template_rate),
    Scorer("pii_email", personal.pii_email, 1, lambda text: ", ".join(personal.find_emails(text))),
    Scorer("pii_phone", personal.pii_phone, 1, lambda text: ", ".join(personal.find_phones(text))),
    Scorer("pii_id_number", personal.pii_id_number, 1, lambda text: ", ".join(personal.find_ids(text))),
    Scorer("pii_bank_card", personal.pii_bank_card, 1, lambda text: ", ".join(personal.find_cards(text))),
    Scorer("answer_copied_from_question", copying.answer_copied_from_question, 0.6),
    Scorer("language_mismatch", language.language_mismatch, 1),
    Scorer("invalid_json", form.invalid_json, 1, lambda text: "; ".join(form.broken_json(text))),
    Scorer("broken_table", form.broken_table, 1, lambda text: "; ".join(form.broken_tables(text))),
    Scorer("bad_url", sanity.bad_url, 1, lambda text: ", ".join(sanity.bad_urls(text))),
    Scorer("impossible_date", sanity.impossible_date, 1, lambda text: ", ".join(sanity.bad_dates(text))),
)


def score_rows(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Return ``row`` and one float64 column per scorer, in row order. Deterministic; 100,000 rows take seconds."""
    import polars as pl

    return pl.DataFrame([rows["row"], *(scorer.score(rows).cast(pl.Float64).alias(scorer.name) for scorer in SCORERS)])
