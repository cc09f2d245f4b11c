"""An audit for a terminal: verdicts per area, then the rows to read first."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from datagen.score.result import AuditResult

COLORS = {"good": "green", "look": "yellow", "act": "red", "unknown": "bright_black"}
SHOWN_ROWS = 10
_LONGEST = 60


def audit_tables(result: AuditResult) -> Group:
    """Return the summary as rich renderables; text from data is never read as markup."""
    head = Text(f"{result.source.name}: {result.source.n_rows} rows, {result.kept} stay by default", style="bold")
    return Group(head, _areas(result), _defects(result), _figures(result))


def _areas(result: AuditResult) -> Table:
    table = Table(title="verdicts", title_justify="left")
    for column in ("area", "verdict", "what was found", "what to do"):
        table.add_column(column)
    for area in result.areas:
        table.add_row(area.name, Text(area.state, style=COLORS[area.state]), Text(area.finding.en), Text(area.todo.en))
    return table


def _defects(result: AuditResult) -> Table | Text:
    counts = result.counts()
    if not counts:
        return Text("no findings")
    table = Table(title="findings, with a row for each to look at", title_justify="left")
    for column in ("code", "rows", "by default", "for example"):
        table.add_column(column)
    for code, n in counts.items():
        example = next(f for f in result.findings if f.code == code)
        shown = f"{example.dataset}:{example.line} {_short(example.what)}"
        table.add_row(code, str(n), "dropped" if example.dropped else "to review", Text(shown))
    return table


def _figures(result: AuditResult) -> Table:
    table = Table(title="figures", title_justify="left")
    table.add_column("what")
    table.add_column("value")
    for name, values in result.balance.lengths.items():
        table.add_row(f"{name} tokens (estimated)", "  ".join(f"{mark} {value:.0f}" for mark, value in values.items()))
    for title, counts in (
        ("languages", result.balance.languages),
        ("row style", result.balance.styles),
        ("question types", result.balance.question_types),
    ):
        table.add_row(title, Text(", ".join(f"{key} {n}" for key, n in counts.items())))
    for metric in result.metrics:
        more = "more" if metric.larger_is_more_varied else "less"
        table.add_row(metric.name, f"{metric.value:.3f} ± {metric.sd:.3f} at {metric.n} {metric.unit} (larger: {more} varied)")
    topics = "; ".join(f"{', '.join(t.terms[:3])} {t.share:.0%}" for t in result.topics.topics[:6])
    table.add_row("topics", Text(f"evenness {result.topics.evenness:.2f}: {topics}"))
    for name, marks in result.model_scores().items():
        table.add_row(name, "  ".join(f"{mark} {value:.3g}" for mark, value in marks.items()))
    if result.coverage is not None:
        facts = ", ".join(f"{kind} {hit}/{total}" for kind, (hit, total) in result.coverage.facts.items())
        table.add_row("facts covered", facts)
    table.add_row("time and memory", f"{sum(result.seconds.values()):.1f} s, {result.peak_rss_mb:.0f} MiB")
    return table


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
