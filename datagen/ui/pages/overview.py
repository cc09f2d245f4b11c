"""Overview: iterations with verdicts, the curve by size, and the next step as buttons that show their command."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode

from datagen.jsonl import read_json
from datagen.report.advice import advise
from datagen.schemas.manifest import Manifest
from datagen.ui.data.drawing import series
from datagen.ui.data.training import full_command
from datagen.ui.desk import Desk
from datagen.ui.frame import command, heading, link, markup, nothing_yet, shown_path, table, tag, text
from datagen.ui.visitor import Visitor

LONGEST_ANSWER = 400


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page."""
    ledger = desk.ledger()
    if not ledger:
        heading(visitor.w("overview"), 1)
        nothing_yet(visitor)
        return
    last = ledger[-1]
    ids = await asyncio.to_thread(_train_ids, desk, last) if desk.log.standing() else []
    _next_step(desk, visitor, ledger, last, ids)
    _iterations(visitor, ledger)
    _pictures(visitor, ledger)
    _funnel(visitor, last)
    _answers(desk, visitor, last)


def _next_step(desk: Desk, visitor: Visitor, ledger: list[Manifest], last: Manifest, ids: Sequence[str]) -> None:
    w = visitor.w
    baseline = next((m for m in ledger if m.number == last.baseline), None)
    heading(w("next_step"), 1)
    text("p", advise(last, baseline, visitor.language), "dg-advice")
    if told := (last.verdict() or {}).get("sentence", {}).get(visitor.language):
        text("p", told, "dg-soft").mark("verdict-sentence")
    standing = desk.log.standing()
    decided = sum(i in standing for i in ids)
    root = shown_path(desk.workspace.root)
    # Without --docs a run reads the workspace's own docs/.
    docs = f" --docs {shown_path(desk.docs)}" if desk.docs is not None else ""
    rows = last.datasets["train"].rows if "train" in last.datasets else last.size
    grow = f"/run?{urlencode({'recipe': last.recipe, 'sizes': f'{rows},{rows * 2}'})}"
    with tag("div", "dg-cards"):
        for title, page, line, note in (
            (w("review_rows", rows=rows), "/review", f"datagen -w {root} ui{docs}", w("decided", n=decided)),
            (w("grow"), grow, f"datagen -w {root} run {last.recipe}{docs} --set 'sizes=[{rows}, {rows * 2}]'", ""),
            (w("see_gaps"), "/coverage", f"datagen -w {root} next", _percent(last.coverage)),
            (w("train_full"), "/export", full_command(desk.workspace, last), ""),
        ):
            with tag("section", "dg-card"):
                link(title, page, "dg-link-button")
                if note:
                    text("div", note, "dg-soft")
                command(w("command"), line, visitor)
    with tag("p"):
        link(w("open_report"), f"/report/{last.number}").props("target=_blank")


def _iterations(visitor: Visitor, ledger: list[Manifest]) -> None:
    w = visitor.w
    heading(w("iterations"))
    with tag("div", "dg-scroll"), tag("table", "dg-table"):
        with tag("thead"), tag("tr"):
            for at, name in enumerate(("#", w("rows"), w("verdict"), w("interval"), w("against"), w("coverage"), w("cost"), w("created"))):
                text("th", name, "n" if at in (1, 5, 6) else "")
        with tag("tbody"):
            for m in reversed(ledger):
                verdict = m.verdict()
                with tag("tr"):
                    with tag("td"):
                        link(str(m.number), f"/review?n={m.number}")
                    text("td", m.datasets["train"].rows if "train" in m.datasets else m.size, "n")
                    with tag("td"):
                        if verdict:
                            text("span", w(f"verdict_{verdict['verdict']}"), f"dg-badge {verdict['verdict']}")
                            if m.accepted:
                                text("span", w("accepted"), "dg-soft")
                    interval = f"{verdict['delta']:+.3f} [{verdict['low']:+.3f}, {verdict['high']:+.3f}]" if verdict else "–"
                    text("td", interval, "dg-figures")
                    text("td", f"v{m.baseline}" if m.baseline else w("base"))
                    text("td", _percent(m.coverage), "n")
                    text("td", f"${m.cost:.2f}", "n")
                    text("td", m.created.replace("T", " ")[:16], "dg-figures")


def _pictures(visitor: Visitor, ledger: list[Manifest]) -> None:
    w = visitor.w
    # One value for each size: where a size was run twice, the later.
    losses: dict[float, float] = {}
    for m in ledger:
        if verdict := m.verdict():
            if m.baseline is None:
                losses[0] = float(verdict["baseline_loss"])
            losses[m.datasets["train"].rows] = float(verdict["new_loss"])
    covered = [(float(m.number), float(m.coverage or 0)) for m in ledger if m.coverage is not None]
    paid: list[tuple[float, float]] = []
    for m in ledger:
        paid.append((float(m.number), (paid[-1][1] if paid else 0.0) + m.cost))
    with tag("div", "dg-cards dg-pictures"):
        if losses:
            with tag("figure", "dg-figure"):
                text("figcaption", w("loss_by_size"))
                markup(series(sorted(losses.items()), label=w("loss_by_size")))
        if covered:
            with tag("figure", "dg-figure"):
                text("figcaption", w("coverage_by_iteration"))
                markup(series(covered, label=w("coverage_by_iteration"), percent=True))
        if paid[-1][1] > 0:
            with tag("figure", "dg-figure"):
                text("figcaption", w("cost_by_iteration"))
                markup(series(paid, label=w("cost_by_iteration"), from_zero=True))


def _funnel(visitor: Visitor, last: Manifest) -> None:
    w = visitor.w
    heading(f"{w('funnel')} · {w('iteration')} {last.number}")
    rows = [(s.stage, s.entered, s.kept, ", ".join(f"{visitor.flag(r)} {n}" for r, n in s.dropped.items())) for s in last.funnel]
    table((w("stage"), w("entered"), w("kept"), w("dropped_why")), rows, numeric=(1, 2))


def _answers(desk: Desk, visitor: Visitor, last: Manifest) -> None:
    path = desk.workspace.iteration(last.number) / "probe" / "result.json"
    answers = read_json(path).get("answers", []) if path.is_file() else []
    if not answers:
        return
    w = visitor.w
    heading(w("answers"))
    shown = [[str(a[key])[:LONGEST_ANSWER] or w("nothing_said") for key in ("question", "reference", "baseline", "new")] for a in answers]
    table((w("question"), w("reference"), w("before"), w("after")), shown, classes="dg-texts")


def _train_ids(desk: Desk, manifest: Manifest) -> list[str]:
    path = desk.workspace.iteration(manifest.number) / "train.jsonl"
    if not path.is_file():
        return []
    # The id is the first key of a line that datagen wrote; whole lines need not be parsed for it.
    with path.open(encoding="utf-8") as file:
        return [line[8:72] for line in file]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
