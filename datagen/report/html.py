"""The report page: one self-contained HTML file, no script, no network; everything from data is escaped."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from datagen.jsonl import write_bytes
from datagen.report import plots
from datagen.report.data import ReportData
from datagen.report.template import fill
from datagen.report.words import WORDS
from datagen.schemas.document import Language

# Rows are shown, not archived: a hostile one-megabyte line must not make the page unusable.
LONGEST_SHOWN = 1200


def write_report(data: ReportData, path: Path, language: Language) -> None:
    """Draw the pictures, fill the page and write it atomically."""
    write_bytes(path, render_report(data, language).encode("utf-8", "replace"))


def render_report(data: ReportData, language: Language) -> str:
    """Return the page as HTML text. Deterministic for the same data."""
    words = WORDS[language]
    page = Path(__file__).parent / "page.html.j2"
    return fill(page, longest=LONGEST_SHOWN, w=words, d=data, m=data.manifest, language=language, pictures=_pictures(data, words))


def _pictures(data: ReportData, words: dict[str, str]) -> dict[str, Markup]:
    drawn = {
        "prompts": plots.histogram(data.prompt_lengths, title="", axis=words["question_tokens"]),
        "answers": plots.histogram(data.answer_lengths, title="", axis=words["answer_tokens"]),
        "topics": plots.bars(data.topics, title=""),
        "types": plots.bars(data.question_types, title=""),
        "languages": plots.bars(data.languages, title=""),
    }
    if data.manifest.verdicts:
        drawn["intervals"] = plots.verdict_intervals(data.manifest.verdicts, title="", axis=words["delta_axis"])
    points = _curve_points(data.probe)
    if points:
        drawn["curves"] = plots.learning_curves(points, title="", x=words["step"], y=words["nll"])
    losses = _losses_by_size(data)
    if len(losses) > 1:
        drawn["by_size"] = plots.size_curve(losses, title="", x=words["rows"], y=words["nll"])
    covered = [(m.datasets["train"].rows, m.coverage) for m in data.ledger if "train" in m.datasets and m.coverage is not None]
    if len(covered) > 1:
        drawn["coverage"] = plots.coverage_curve(covered, title="", x=words["rows"], y=words["coverage"])
    if sum(m.cost for m in data.ledger) > 0:
        drawn["cost"] = plots.gain_by_cost(_gains(data), title="", x=words["cost"], y=words["gain"])
    return {name: Markup(svg) for name, svg in drawn.items()}


def _curve_points(probe: dict[str, Any] | None) -> list[dict[str, Any]]:
    """One point per step, seed and series of the new arm; ``train`` is the training loss, the others are exam parts."""
    points: list[dict[str, Any]] = []
    for curve in (probe or {}).get("curves", []):
        if curve["arm"] != "new":
            continue
        for point in curve["points"]:
            series = {"train": point["train_loss"], **point["eval_loss"]}
            points.extend(
                {"step": point["step"], "loss": loss, "series": name, "seed": str(curve["seed"])} for name, loss in series.items()
            )
    return points


def _losses_by_size(data: ReportData) -> list[plots.SizePoint]:
    """Loss of every iteration on the primary set with the interval of its difference; the untrained model at 0 rows."""
    points: dict[int, plots.SizePoint] = {}
    for manifest in data.ledger:
        verdict = manifest.verdict()
        if verdict is None or "train" not in manifest.datasets:
            continue
        before, after = float(verdict["baseline_loss"]), float(verdict["new_loss"])
        if manifest.baseline is None:
            points.setdefault(0, plots.SizePoint(0, before, before, before))
        rows = manifest.datasets["train"].rows
        points[rows] = plots.SizePoint(rows, after, before + float(verdict["low"]), before + float(verdict["high"]))
    return [points[rows] for rows in sorted(points)]


def _gains(data: ReportData) -> list[tuple[float, float]]:
    """Money spent so far and gain so far over the untrained model, in nats per answer token, for each accepted iteration."""
    spent = gain = 0.0
    points = [(0.0, 0.0)]
    for manifest in data.ledger:
        spent += manifest.cost
        verdict = manifest.verdict()
        if manifest.accepted and verdict is not None:
            gain -= float(verdict["delta"])
            points.append((spent, gain))
    return points
