"""The same figures for a terminal: funnel table and verdict lines as rich renderables."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from datagen.schemas.manifest import FunnelStep, Manifest

COLORS = {"BETTER": "green", "WORSE": "red", "EQUIVALENT": "cyan", "INCONCLUSIVE": "yellow"}


def funnel_table(title: str, funnel: Sequence[FunnelStep]) -> Table:
    """Return the funnel: what entered each stage, what was kept, and every reason for a loss."""
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    table.add_column("entered", justify="right")
    table.add_column("kept", justify="right")
    table.add_column("dropped, by reason")
    for step in funnel:
        table.add_row(step.stage, str(step.entered), str(step.kept), ", ".join(f"{r} {n}" for r, n in step.dropped.items()))
    return table


def verdict_lines(manifest: Manifest) -> Group:
    """Return one line per eval set, the one the verdict is read on marked with a star."""
    against = f"v{manifest.baseline}" if manifest.baseline else "base"
    lines: list[Text] = []
    for v in manifest.verdicts:
        star = "*" if v["eval_set"] == manifest.primary else " "
        line = Text(f"{star} {against} -> v{manifest.number}  {v['eval_set']:<7}")
        line.append(f"{v['verdict']:<13}", style=COLORS.get(str(v["verdict"]), ""))
        line.append(
            f"Delta {v['delta']:+.4f} nats/token [{v['low']:+.4f}, {v['high']:+.4f}]  "
            f"{v['seeds']} seeds, {v['documents']} documents, {v['items']} items, {v['tokens']} tokens, look {v['look']}"
        )
        lines.append(line)
    for name, v in (("same steps", manifest.control), ("vault", manifest.vault)):
        if v is not None:
            line = Text(f"  {against} -> v{manifest.number}  {name:<11}")
            line.append(f"{v['verdict']:<13}", style=COLORS.get(str(v["verdict"]), ""))
            line.append(f"Delta {v['delta']:+.4f} nats/token [{v['low']:+.4f}, {v['high']:+.4f}]  {v['items']} items, look {v['look']}")
            lines.append(line)
    return Group(*lines)


def ledger_table(ledger: Sequence[Manifest]) -> Table:
    """Return the iterations as a table."""
    table = Table()
    for name in ("#", "parent", "rows", "requests", "eval set", "verdict", "Delta [interval]", "accepted", "covered", "cost", "created"):
        table.add_column(name)
    for m in ledger:
        v = m.verdict()
        figures = ("–", "–", "–") if v is None else (m.primary, str(v["verdict"]), f"{v['delta']:+.4f} [{v['low']:+.4f}, {v['high']:+.4f}]")
        rows = m.datasets["train"].rows if "train" in m.datasets else m.size
        table.add_row(
            str(m.number),
            str(m.parent or "–"),
            str(rows),
            str(m.usage.get("requests", 0)),
            *figures,
            "yes" if m.accepted else "–",
            "–" if m.coverage is None else f"{m.coverage:.0%}",
            f"{m.cost:.2f}",
            m.created,
        )
    return table
