"""Run: documents, recipe, plan and price; then the run as it goes, whoever started it and however often the page is loaded."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nicegui import background_tasks, events, run, ui

from datagen.errors import DatagenError
from datagen.jsonl import read_json
from datagen.library import search_path
from datagen.pipeline.recipe import STAGES
from datagen.ui.data.jobs import Job, State, dry_run, keep_plan, last_job, run_arguments, spending_of, start_job
from datagen.ui.data.notes import gives_time_left, told
from datagen.ui.data.progress import Spending, Step
from datagen.ui.data.uploads import LARGEST_MB, document_folders, documents_in, store_upload
from datagen.ui.desk import Desk
from datagen.ui.failing import explained
from datagen.ui.frame import button, command, heading, link, table, tag, tell_error, text
from datagen.ui.visitor import Visitor
from datagen.workspace import Workspace

POLL_S = 1.0
PATIENCE_S = 5.0
"""How long a run may take to end by itself before it is ended."""
MOST_FILES = 200
NAME_UPLOADER = """
for (const e of document.querySelectorAll('.q-uploader input, .q-uploader__header .q-btn')) e.setAttribute('aria-label', %s);
"""
"""Quasar gives the buttons and the field of its uploader icons only; a screen reader needs words."""


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page."""
    folders = await asyncio.to_thread(document_folders, desk.workspace.root, desk.docs)
    await _Run(desk, visitor, folders).build()


class _Run:
    """The form, and below it the run under way or the last one."""

    def __init__(self, desk: Desk, visitor: Visitor, folders: list[Path]) -> None:
        self.desk, self.visitor, self.folders = desk, visitor, folders
        self.shown: object = None
        self.headed: object = None

    async def build(self) -> None:
        w = self.visitor.w
        heading(w("run"), 1)
        with tag("div", "dg-two"):
            with tag("section", "dg-card"):
                self._documents()
            with tag("section", "dg-card"):
                self._recipe()
        self.plan = tag("div", "dg-plan")
        self.head = tag("div")
        self.job = tag("div", "dg-job")
        await self._count()
        await self.draw_job()
        ui.timer(POLL_S, self.draw_job)

    def _documents(self) -> None:
        w = self.visitor.w
        root = self.desk.workspace.root
        heading(w("documents"), 3)
        docs = root / "docs"
        upload = ui.upload(
            label=w("upload"), multiple=True, auto_upload=True, max_file_size=LARGEST_MB << 20, max_files=MOST_FILES, on_upload=self.upload
        )
        upload.on("rejected", self.refused, js_handler="(entries) => emit(entries.length)")
        upload.props('accept=".md,.txt,.html,.htm,.pdf,.docx" flat bordered').classes("dg-wide").mark("upload")
        ui.run_javascript(NAME_UPLOADER % json.dumps(w("upload")))
        text("p", w("upload_limits", mb=LARGEST_MB, folder=docs), "dg-soft")
        folders = {str(p): str(p.relative_to(root)) if p.is_relative_to(root) else str(p) for p in self.folders}
        self.folder = (
            ui.select(folders, value=next(iter(folders)), label=w("folder")).props("outlined dense").classes("dg-wide").mark("folder")
        )
        self.files = text("p", "", "dg-soft")
        self.folder.on_value_change(self._count)

    def _recipe(self) -> None:
        w = self.visitor.w
        heading(w("recipe"), 3)
        names = sorted({p.stem for f in search_path("pipelines", roots=(self.desk.workspace.root,)) for p in f.glob("*.yaml")})
        # The Overview's "Grow" names recipe and sizes; only known recipes and plain numbers are taken from an address.
        asked, sizes = self.visitor.query.get("recipe", ""), self.visitor.query.get("sizes", "").split(",")
        chosen = asked if asked in names else "quickstart" if "quickstart" in names else names[0]
        self.recipe = ui.select(names, value=chosen, label=w("recipe"))
        self.recipe.props("outlined dense").classes("dg-wide").mark("recipe")
        self.until = ui.select(list(STAGES), value="probe", label=w("until")).props("outlined dense").classes("dg-wide").mark("until")
        # What "Generate here" on the Coverage page wrote is offered, to be seen and taken out.
        given = [f"sizes=[{', '.join(sizes)}]"] if all(s.isdecimal() for s in sizes) else []
        given += [f"generate.quotas=@{self.desk.quotas}"] if self.desk.quotas.is_file() else []
        self.settings = (
            ui.textarea(label=w("settings"), value="\n".join(given)).props("outlined dense autogrow").classes("dg-wide").mark("settings")
        )
        with tag("div", "dg-row"):
            button(w("estimate"), self.estimate, "flat").mark("estimate")
            button(w("start"), self.start).mark("start")

    def arguments(self) -> list[str]:
        settings = [line.strip() for line in str(self.settings.value or "").splitlines() if line.strip()]
        return run_arguments(self.desk.workspace, str(self.recipe.value), Path(str(self.folder.value)), settings, str(self.until.value))

    async def upload(self, event: events.UploadEventArguments) -> None:
        try:
            stored = await asyncio.to_thread(store_upload, self.desk.workspace.root / "docs", event.file.name, await event.file.read())
        except (DatagenError, OSError) as error:
            why = explained(error, self.visitor.language).message
            ui.notify(self.visitor.w("refused", name=event.file.name[:60], why=why), type="negative", timeout=8000)
            return
        ui.notify(self.visitor.w("uploaded", name=stored.name))
        ui.run_javascript(NAME_UPLOADER % json.dumps(self.visitor.w("upload")))
        await self._count()

    def refused(self, event: events.GenericEventArguments) -> None:
        """Say what the browser did not even send."""
        told = self.visitor.w("not_taken", n=event.args, mb=LARGEST_MB, most=MOST_FILES)
        ui.notify(told, type="negative", multi_line=True, timeout=8000)

    async def _count(self) -> None:
        n = await asyncio.to_thread(_count_documents, Path(str(self.folder.value)))
        next(iter(self.files.default_slot.children)).set_text(f"{self.visitor.w('documents')}: {n}")  # type: ignore[attr-defined]

    async def estimate(self) -> None:
        w = self.visitor.w
        self.plan.clear()
        with self.plan:
            text("p", "…", "dg-soft")
        answer = await run.io_bound(dry_run, self.arguments())
        assert answer is not None, "the server is shutting down"
        self.plan.clear()
        with self.plan:
            heading(w("plan"))
            if isinstance(answer, str):
                text("p", answer, "dg-note reject")
                return
            table(("", ""), [(key, _said(value)) for key, value in answer.items() if key != "prices"])
            if answer["prices"]:
                heads = (w("stage"), w("strategy"), w("model"), w("rows"), w("requests"), w("cost"), w("at_most"))
                table(heads, [_price_row(self.visitor, step) for step in answer["prices"]], numeric=(3, 4, 5, 6))

    async def start(self) -> None:
        await self._begin(self.arguments())

    async def _begin(self, arguments: Sequence[str]) -> None:
        try:
            job = await asyncio.to_thread(start_job, self.desk.workspace, arguments)
        except (DatagenError, OSError) as error:
            tell_error(error, self.visitor)
        else:
            background_tasks.create(asyncio.to_thread(keep_plan, self.desk.workspace, job), name="price of the run")
        await self.draw_job()

    async def stop(self, job: Job) -> None:
        job.stop()
        for _ in range(round(PATIENCE_S / 0.2)):
            await asyncio.sleep(0.2)
            if job.state() != "running":
                break
        else:
            job.stop(now=True)
        await self.draw_job()

    async def resume(self, job: Job) -> None:
        await self._begin(job.command[1:])

    async def draw_job(self) -> None:
        """Draw the run anew if anything has changed since."""
        job, state, steps, spent = await asyncio.to_thread(_look, self.desk.workspace)
        now = (job.folder if job else None, state, steps[-1] if steps else None, len(steps), spent)
        if now == self.shown or self.job.is_deleted:
            return
        self.shown = now
        # The buttons stay as they are while a run goes on: one drawn anew under the pointer would lose the click.
        if self.headed is None or self.headed != now[:2]:
            self.headed = now[:2]
            self.head.clear()
            with self.head:
                if job is None or state is None:
                    text("p", self.visitor.w("no_run"), "dg-soft")
                else:
                    self._draw_head(job, state)
        self.job.clear()
        if job is not None and state is not None:
            with self.job:
                self._draw(job, state, steps, spent)

    def _draw_head(self, job: Job, state: str) -> None:
        w = self.visitor.w
        with tag("div", "dg-row"):
            heading(w(state))
            if state == "running":
                button(w("stop"), lambda: self.stop(job), "negative").mark("stop")
            elif state in ("stopped", "failed"):
                button(w("resume"), lambda: self.resume(job)).mark("resume")
            else:
                link(w("overview"), "/", "dg-link-button")
                link(w("review"), "/review", "dg-link-button")
        command(w("command"), job.shown, self.visitor)

    def _draw(self, job: Job, state: str, steps: list[Step], spent: Spending | None) -> None:
        w = self.visitor.w
        if spent is not None:
            money = {name: f"{getattr(spent, name):.4f}" for name in ("paid", "forecast", "most")}
            key = ("whole_run" if state == "running" else "whole_run_ended") if spent.known else "whole_run_unknown"
            text("p", w(key, **money), "dg-advice").mark("spending")
        if state == "running" and steps and steps[-1].total:
            last = steps[-1]
            with tag("div", "dg-bar").props(f"role=progressbar aria-valuenow={last.done} aria-valuemax={last.total}"):
                tag("div").style(f"width:{min(100.0, 100 * last.done / last.total):.1f}%")
        rows: list[tuple[object, ...]] = []
        for step in steps:
            stats = _stats(self.desk, step)
            kept, dropped = stats.get("kept", ""), stats.get("reasons", {})
            reasons = ", ".join(f"{self.visitor.flag(r)} {n}" for r, n in dropped.items())
            at = f"{step.done}/{step.total}" if step.total else ""
            pace = ""
            # The run's own note knows better: the page would count rows that were there before the stage began.
            if state == "running" and step is steps[-1] and step.rate and not gives_time_left(step.note):
                pace = w("rate", rate=f"{step.rate:.1f}") + (f" · {w('eta', s=_duration(step.eta_s))}" if step.eta_s else "")
            note = told(step.note, self.visitor.language)
            rows.append((step.iteration, step.stage, at, kept, reasons, " · ".join(p for p in (note, pace) if p)))
        table((w("iteration"), w("stage"), "", w("kept"), w("dropped_why"), ""), rows, numeric=(3,))
        if state == "failed":
            heading(w("log"), 3)
            text("pre", job.log(), "dg-pre")


def _look(workspace: Workspace) -> tuple[Job | None, State | None, list[Step], Spending | None]:
    job = last_job(workspace)
    return (job, job.state(), job.steps(), spending_of(workspace, job)) if job else (None, None, [], None)


def _count_documents(folder: Path) -> int:
    return sum(1 for _ in documents_in(folder)) if folder.is_dir() else 0


def _stats(desk: Desk, step: Step) -> dict[str, Any]:
    """Return a stage's figures as soon as the stage has written them."""
    found = sorted(desk.workspace.iteration(step.iteration).glob(f"[0-9][0-9]-{step.stage}/stats.json"))
    # A stage of an earlier attempt that is being made anew has old figures.
    return read_json(found[0]) if found and found[0].stat().st_mtime >= step.began - 1 else {}


def _price_row(visitor: Visitor, step: dict[str, Any]) -> tuple[object, ...]:
    cost, most = f"${step['cost_usd']:.4f}", f"${step['cost_most_usd']:.4f}"
    if not step["price_known"] or step["free"]:
        cost, most = visitor.w("free" if step["price_known"] else "no_price"), ""
    return (visitor.w(step["purpose"]), step["strategy"], step["model"], step["target"], step["requests"], cost, most)


def _said(value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(_said(v) for v in value[:8])
        return f"{shown} …" if len(value) > 8 else shown
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_said(v)}" for k, v in value.items())
    return "–" if value is None else str(value)


def _duration(seconds: float | None) -> str:
    whole = round(seconds or 0)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
