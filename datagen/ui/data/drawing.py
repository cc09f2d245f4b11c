"""Small pictures as SVG text, drawn without a library so that they follow the page's colours and need no time."""

import html
from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 360, 170, 46, 28, 12, 14


def series(points: Sequence[tuple[float, float]], *, label: str, percent: bool = False, from_zero: bool = False) -> str:
    """Return a line with a dot and its value at every point; ``points`` are sorted by x. The y axis of shares is 0 to 1."""
    if not points:
        return ""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low, high = (0.0, 1.0) if percent else (0.0 if from_zero else min(ys), max(ys))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    span = max(xs) - min(xs) or 1.0
    if len(points) == 1:
        placed = [((LEFT + WIDTH - RIGHT) / 2, _y(ys[0], low, high))]
    else:
        placed = [(LEFT + (a - min(xs)) / span * (WIDTH - LEFT - RIGHT - 24), _y(b, low, high)) for a, b in points]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
    dots = "".join(
        f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="4"/>'
        f'<text class="value" x="{a + 6:.1f}" y="{b - 7:.1f}">{_figure(v, percent)}</text>'
        f'<text class="tick" x="{a:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{at:g}</text>'
        for (a, b), (at, v) in zip(placed, points, strict=True)
    )
    axis = (
        f'<line class="axis" x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{_y(low, low, high) + 4:.1f}" text-anchor="end">{_figure(low, percent)}</text>'
        f'<text class="tick" x="{LEFT - 6}" y="{_y(high, low, high) + 4:.1f}" text-anchor="end">{_figure(high, percent)}</text>'
    )
    return (
        f'<svg class="dg-series" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">{axis}'
        f'<polyline points="{line}"/>{dots}</svg>'
    )


def _y(value: float, low: float, high: float) -> float:
    return TOP + 8 + (high - value) / (high - low) * (HEIGHT - BOTTOM - TOP - 16)


def _figure(value: float, percent: bool) -> str:
    return f"{value:.0%}" if percent else f"{value:.2f}"
