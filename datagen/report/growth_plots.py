"""Pictures of curves, sweeps, slices and retrieval as SVG text, each with its intervals."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from datagen.probe.growth.curve import CurveResult
from datagen.probe.growth.retrieval import RetrievalResult
from datagen.probe.growth.slices import SlicesResult
from datagen.probe.growth.sweep import SweepResult
from datagen.report.plots import COLORS, INK, SECOND, WIDTH, draw

LOSS = "loss, nats per token"


def curve_picture(result: CurveResult) -> str:
    """Draw the measured sizes with their intervals, the curve with its 90 % band up to four times the rows, and where it is a forecast."""
    total = result.points[-1].rows
    line = pl.DataFrame([p.model_dump() for p in result.line])
    points = pl.DataFrame([p.model_dump() for p in result.points])
    x = alt.X("rows:Q", title="training rows", scale=alt.Scale(type="log", nice=False))
    y = alt.Y("loss:Q", title=LOSS, scale=alt.Scale(zero=False))
    area = (
        alt.Chart(line)
        .mark_area(color=INK, opacity=0.18)
        .encode(x=x, y=alt.Y("low:Q", title=LOSS, scale=alt.Scale(zero=False)), y2="high:Q")
    )
    inside = alt.Chart(line.filter(pl.col("rows") <= total * 1.001)).mark_line(color=INK).encode(x=x, y=y)
    ahead = alt.Chart(line.filter(pl.col("rows") >= total * 0.999)).mark_line(color=INK, strokeDash=[5, 4]).encode(x=x, y=y)
    rule = alt.Chart(points).mark_rule(color=SECOND, strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=LOSS), y2="high:Q")
    dots = alt.Chart(points).mark_point(color=SECOND, filled=True, size=70).encode(x=x, y=y)
    marks = pl.DataFrame({"rows": [2 * total]})
    double = alt.Chart(marks).mark_rule(color="#888", strokeDash=[2, 3]).encode(x=x)
    title = f"{result.eval_set}: measured to {total} rows, forecast beyond; dotted: twice the rows"
    return draw((area + inside + ahead + rule + dots + double).properties(title=title, width=WIDTH, height=240))


def sweep_picture(result: SweepResult) -> str:
    """Draw both tables: loss by rank for each set of targets, and by targets at one number of parameters."""
    first = alt.layer(
        *_lines(
            [
                {"rank": str(c.rank), "order": c.rank, "series": c.targets, "loss": c.loss, "low": c.low, "high": c.high}
                for c in result.rank_by_targets.cells
            ]
        )
    ).properties(title=f"rank by target modules ({result.eval_set}, {result.rows} rows, {result.seeds} seeds)", width=WIDTH, height=200)
    second = _intervals(
        [{"name": f"{c.targets}, rank {c.rank}", "value": c.loss, "low": c.low, "high": c.high} for c in result.equal_parameters.cells],
        axis=LOSS,
    ).properties(title="the same number of trainable parameters", width=WIDTH - 60)
    return draw(alt.vconcat(first, second))


def retrieval_picture(result: RetrievalResult) -> str:
    """Draw the four cells on all completion tokens, and on fact tokens where there are any."""
    parts = [
        _intervals(
            [{"name": c.name, "value": c.loss, "low": c.low, "high": c.high} for c in result.cells if c.metric == metric], axis=LOSS
        ).properties(title=title, width=WIDTH - 60)
        for metric, title in (("nll", f"all tokens ({result.eval_set}, {result.questions} questions)"), ("fact_nll", "numbers and dates"))
        if any(c.metric == metric for c in result.cells)
    ]
    return draw(alt.vconcat(*parts))


def slices_picture(result: SlicesResult) -> str:
    """Draw every slice's effect with its interval; left of 0 the slice helps."""
    rows = [{"name": e.name[-44:], "value": e.effect, "low": e.low, "high": e.high} for e in result.effects]
    zero = alt.Chart(pl.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 3], color="#888").encode(x="x:Q")
    chart = zero + _intervals(rows, axis="loss with the slice minus without, nats per token")
    return draw(chart.properties(title=f"slices by {result.by} ({result.eval_set}, {result.runs} runs)", width=WIDTH - 160))


def _intervals(rows: Sequence[dict[str, Any]], *, axis: str) -> Any:
    base = alt.Chart(pl.DataFrame(list(rows))).encode(y=alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=300)))
    rule = base.mark_rule(color=INK, strokeWidth=3).encode(x=alt.X("low:Q", title=axis, scale=alt.Scale(zero=False)), x2="high:Q")
    return rule + base.mark_point(filled=True, size=90, color=INK).encode(x="value:Q")


def _lines(rows: Sequence[dict[str, Any]]) -> list[Any]:
    frame = pl.DataFrame(list(rows))
    x = alt.X("rank:O", title="LoRA rank", sort=alt.EncodingSortField("order"), axis=alt.Axis(labelAngle=0))
    color = alt.Color("series:N", title="targets", scale=alt.Scale(range=COLORS), sort=None)
    offset = alt.XOffset("series:N", sort=None)
    base = alt.Chart(frame).encode(x=x, color=color, xOffset=offset)
    return [
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=LOSS, scale=alt.Scale(zero=False)), y2="high:Q"),
        base.mark_point(filled=True, size=70).encode(y=alt.Y("loss:Q", title=LOSS, scale=alt.Scale(zero=False))),
    ]
