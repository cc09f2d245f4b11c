"""Pictures of the report as SVG text: drawn by altair, rendered by vl-convert, no network and no script."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl
import vl_convert

WIDTH = 420
INK = "#1f6f8b"
SECOND = "#d1793b"
COLORS = [INK, SECOND, "#5b8c5a", "#8d5a97"]


def histogram(values: Sequence[int], *, title: str, axis: str) -> str:
    """Return an SVG histogram of token counts."""
    frame = pl.DataFrame({"value": list(values)})
    chart = (
        alt.Chart(frame).mark_bar(color=INK).encode(x=alt.X("value:Q", bin=alt.Bin(maxbins=24), title=axis), y=alt.Y("count()", title=None))
    )
    return draw(chart.properties(title=title, width=WIDTH, height=180))


def bars(counts: Sequence[tuple[str, int]], *, title: str, most: int = 40) -> str:
    """Return an SVG bar chart, longest first; at most ``most`` bars, the rest summed into one."""
    shown = list(counts[:most])
    if len(counts) > most:
        shown.append((f"+{len(counts) - most}", sum(n for _, n in counts[most:])))
    frame = pl.DataFrame({"name": _labels([n for n, _ in shown]), "count": [c for _, c in shown], "order": list(range(len(shown)))})
    chart = (
        alt.Chart(frame)
        .mark_bar(color=INK)
        .encode(
            x=alt.X("count:Q", title=None),
            y=alt.Y("name:N", sort=alt.EncodingSortField("order"), title=None, axis=alt.Axis(labelLimit=260)),
        )
    )
    return draw(chart.properties(title=title, width=WIDTH - 140, height=max(60, 15 * len(shown))))


def learning_curves(points: Sequence[dict[str, Any]], *, title: str, x: str, y: str) -> str:
    """Return SVG curves; each point has ``step``, ``loss``, ``series`` (line) and ``seed`` (one thin line each)."""
    frame = pl.DataFrame([{k: p[k] for k in ("step", "loss", "series", "seed")} for p in points])
    chart = (
        alt.Chart(frame)
        .mark_line(point=True, opacity=0.75)
        .encode(
            x=alt.X("step:Q", title=x),
            y=alt.Y("loss:Q", title=y, scale=alt.Scale(zero=False)),
            color=alt.Color("series:N", title=None, scale=alt.Scale(range=COLORS)),
            detail="seed:N",
        )
    )
    return draw(chart.properties(title=title, width=WIDTH, height=220))


def verdict_intervals(verdicts: Sequence[dict[str, Any]], *, title: str, axis: str) -> str:
    """Return SVG intervals of Delta for each eval set, with a line at 0 (left of it: the new data is better)."""
    frame = pl.DataFrame([{"set": v["eval_set"], "low": v["low"], "high": v["high"], "delta": v["delta"]} for v in verdicts])
    base = alt.Chart(frame).encode(y=alt.Y("set:N", title=None, sort=None))
    rule = base.mark_rule(color=INK, strokeWidth=3).encode(x=alt.X("low:Q", title=axis), x2="high:Q")
    dots = base.mark_point(filled=True, size=90, color=INK).encode(x="delta:Q")
    zero = alt.Chart(pl.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 3], color="#888").encode(x="x:Q")
    return draw((zero + rule + dots).properties(title=title, width=WIDTH, height=40 * len(verdicts) + 20))


class SizePoint(NamedTuple):
    """Loss at a number of training rows, with the ends of the interval of its difference to what it was compared with."""

    rows: int
    loss: float
    low: float
    high: float


def size_curve(points: Sequence[SizePoint], *, title: str, x: str, y: str) -> str:
    """Return an SVG of the primary eval loss by number of training rows (0 = untrained base), with error bars."""
    frame = pl.DataFrame([p._asdict() for p in points])
    base = alt.Chart(frame).encode(x=alt.X("rows:Q", title=x))
    line = base.mark_line(point=True, color=INK).encode(y=alt.Y("loss:Q", title=y, scale=alt.Scale(zero=False)))
    bars = base.mark_rule(color=INK, strokeWidth=2, opacity=0.5).encode(y="low:Q", y2="high:Q")
    return draw((bars + line).properties(title=title, width=WIDTH, height=180))


def coverage_curve(points: Sequence[tuple[int, float]], *, title: str, x: str, y: str) -> str:
    """Return an SVG of the share of passages with at least one row, by number of training rows."""
    frame = pl.DataFrame({"rows": [r for r, _ in points], "coverage": [c for _, c in points]})
    chart = (
        alt.Chart(frame)
        .mark_line(point=True, color=SECOND)
        .encode(
            x=alt.X("rows:Q", title=x),
            y=alt.Y("coverage:Q", title=y, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        )
    )
    return draw(chart.properties(title=title, width=WIDTH, height=180))


def gain_by_cost(points: Sequence[tuple[float, float]], *, title: str, x: str, y: str) -> str:
    """Return an SVG of the gain over the untrained model (nats per answer token) by money spent, accepted iterations only."""
    frame = pl.DataFrame({"cost": [c for c, _ in points], "gain": [g for _, g in points]})
    chart = alt.Chart(frame).mark_line(point=True, color=INK).encode(x=alt.X("cost:Q", title=x), y=alt.Y("gain:Q", title=y))
    return draw(chart.properties(title=title, width=WIDTH, height=180))


def draw(chart: Any) -> str:
    """Return a chart as SVG text."""
    styled = chart.configure(font="system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif").configure_view(stroke=None)
    svg = str(vl_convert.vegalite_to_svg(_printable(styled.to_dict())))
    # The drawing carries its own size; the page scales it.
    return re.sub(r"<svg ", '<svg role="img" ', svg, count=1)


def _printable(spec: Any) -> Any:
    """Return a chart's description without control characters, on which the renderer ends the whole process: XML cannot hold them."""
    if isinstance(spec, dict):
        return {key: _printable(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_printable(value) for value in spec]
    return "".join(filter(str.isprintable, spec)) if isinstance(spec, str) else spec


def _labels(names: Sequence[str]) -> list[str]:
    """Return names cut to what fits; whole where two would look the same, and so be drawn as one."""
    short = [name if len(name) <= 38 else f"…{name[-37:]}" for name in names]
    return short if len(set(short)) == len(short) else list(names)
