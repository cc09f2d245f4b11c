"""Pictures of the audit page as SVG text; see :mod:`datagen.report.plots` for how they are drawn."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from datagen.report.plots import WIDTH, draw

MAX_POINTS = 1500
_PALETTE = [
    *("#1f6f8b", "#d1793b", "#5b8c5a", "#8d5a97", "#b3412e", "#4a6572", "#a87b18", "#3c6e71", "#9c6644", "#6a8d73"),
    *("#7b5e7b", "#2a9d8f", "#e76f51", "#577590", "#bc6c25", "#606c38", "#84a59d", "#90323d", "#415a77", "#778da9"),
]


def topic_map(places: Sequence[tuple[float, float]], topic_of: Sequence[int], names: Sequence[str]) -> str:
    """Return an SVG scatter of rows; at most 1,500 of them, evenly taken. ``names`` are the topics' labels, in topic order."""
    step = max(1, -(-len(places) // MAX_POINTS))
    chosen = range(0, len(places), step)
    labels = [f"{i + 1} {name}" for i, name in enumerate(names)]
    frame = pl.DataFrame(
        {"x": [places[i][0] for i in chosen], "y": [places[i][1] for i in chosen], "topic": [labels[topic_of[i]] for i in chosen]}
    )
    used = [label for label in labels if label in set(frame["topic"].to_list())]
    chart = (
        alt.Chart(frame)
        .mark_circle(size=28, opacity=0.75)
        .encode(
            x=alt.X("x:Q", axis=None),
            y=alt.Y("y:Q", axis=None),
            color=alt.Color(
                "topic:N",
                sort=used,
                scale=alt.Scale(domain=used, range=[_PALETTE[labels.index(label) % len(_PALETTE)] for label in used]),
                legend=alt.Legend(title=None, labelLimit=200, symbolLimit=20, orient="bottom", columns=3),
            ),
        )
    )
    return draw(chart.properties(width=WIDTH, height=300))
