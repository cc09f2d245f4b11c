"""The audit page: one self-contained HTML file, no script, no network; everything from data is escaped and clipped."""

from pathlib import Path

from markupsafe import Markup

from datagen.jsonl import write_bytes
from datagen.report import plots
from datagen.report.audit import view
from datagen.report.audit.plots import topic_map
from datagen.report.audit.words import CODES, WORDS
from datagen.report.template import fill
from datagen.schemas.document import Language
from datagen.score.result import AuditResult
from datagen.score.validity import metric_validity

# Rows are shown, not archived: a hostile one-megabyte line must not make the page unusable.
LONGEST_SHOWN = 700


def write_page(result: AuditResult, path: Path, language: Language) -> None:
    """Draw the pictures, fill the page and write it atomically."""
    write_bytes(path, render_page(result, language).encode("utf-8", "replace"))


def render_page(result: AuditResult, language: Language) -> str:
    """Return the page as HTML text. Deterministic for the same result."""
    documents = view.documents(result)
    return fill(
        Path(__file__).parent / "page.html.j2",
        longest=LONGEST_SHOWN,
        w=WORDS[language],
        codes={code: texts[language] for code, texts in CODES.items()},
        r=result,
        language=language,
        defects=view.defects(result),
        funnel=view.funnel(result),
        clusters=view.clusters(result),
        conflicts=view.conflicts(result),
        leaks=view.leaks(result),
        models=view.models(result),
        lengths={name: view.extremes(result, f"{name}_tokens") for name in ("prompt", "completion")},
        documents=documents[: view.DOCUMENTS],
        hidden=len(documents[view.DOCUMENTS :]),
        sample=view.sample(result),
        validity=metric_validity(),
        pictures=_pictures(result, language),
    )


def _pictures(result: AuditResult, language: Language) -> dict[str, Markup]:
    words = WORDS[language]
    drawn: dict[str, str] = {}
    if result.source.rows:
        for name in ("prompt", "completion"):
            drawn[name] = plots.histogram(_clipped(result.scores[f"{name}_tokens"].to_list()), title="", axis=words[f"{name}_axis"])
    for name, counts in (
        ("types", result.balance.question_types),
        ("languages", result.balance.languages),
        ("styles", result.balance.styles),
        ("datasets", result.balance.datasets),
    ):
        if counts:
            drawn[name] = plots.bars(list(counts.items()), title="")
    if len(result.embedded) > 2:
        names = [", ".join(t.terms[:2]) for t in result.topics.topics]
        drawn["map"] = topic_map(result.places_2d, result.topics.of_row, names)
    return {name: Markup(svg) for name, svg in drawn.items()}


def _clipped(values: list[float]) -> list[int]:
    """Draw the longest hundredth at the border, so that one giant row does not hide all others."""
    border = sorted(values)[int(0.99 * (len(values) - 1))]
    return [int(min(value, border)) for value in values]
