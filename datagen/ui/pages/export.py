"""Export: what LLaMA-Factory will see and say, then register and copy the training command."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nicegui import run, ui

from datagen.errors import DatagenError
from datagen.export.llamafactory import Report, choose_template, register, train_command, train_yaml
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME
from datagen.export.llamafactory.registry.listing import list_registered
from datagen.jsonl import read_json, read_rows, write_bytes
from datagen.pipeline.recipe import load_recipe
from datagen.schemas.sample import Sample
from datagen.ui.data.marking import mark_segments
from datagen.ui.data.preview import TrainingTexts, check_samples, training_texts
from datagen.ui.desk import Desk
from datagen.ui.frame import button, choose_iteration, command, heading, markup, nothing_yet, patiently, table, tag, tell_error, text
from datagen.ui.visitor import Visitor

T = TypeVar("T")
SHOWN_FINDINGS = 50
DEFAULT_MODEL = "Qwen/Qwen3-4B-Instruct-2507"


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page; the preview, which may load a tokenizer, follows when it is ready."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("export"), 1)
        nothing_yet(visitor)
        return
    page = await patiently(visitor, lambda: _Export(desk, visitor, number))
    await page.build()


class _Export:
    """One iteration's rows on their way to LLaMA-Factory, with people's decisions applied."""

    def __init__(self, desk: Desk, visitor: Visitor, number: int) -> None:
        self.desk, self.visitor, self.number = desk, visitor, number
        folder = desk.workspace.iteration(number)
        reviewed = desk.log.snapshot().apply(_samples(folder / "train.jsonl"))
        self.train = list(reviewed.kept)
        held = _samples(folder / "eval.jsonl") if (folder / "eval.jsonl").is_file() else []
        self.exam = [s for s in held if s.tags.get("eval_set") in ("recall", "unseen")]
        self.decided = len(reviewed.dropped)
        manifest = next((m for m in desk.ledger() if m.number == number), None)
        self.recipe = manifest.recipe if manifest else "dataset"

    async def build(self) -> None:
        w = self.visitor.w
        choose_iteration(self.desk, self.visitor, self.number)
        heading(f"{w('export')} · {len(self.train)} {w('rows')}", 1)
        if self.decided:
            text("p", w("with_decisions", n=len(self.train)), "dg-note")
        with tag("div", "dg-row"):
            suffix = "_reviewed" if self.decided else ""
            self.name = (
                ui.input(label=w("name"), value=f"{self.recipe}_v{self.number}{suffix}").props("outlined dense maxlength=90").mark("name")
            )
            button(w("register"), self.register).mark("register")
        self.done = tag("div")
        self.registered = tag("div")
        self.draw_registered()
        findings, texts = tag("div"), tag("div")
        name = f"{self.recipe}_v{self.number}"
        await self.fill(findings, w("findings"), lambda: check_samples(name, self.train), self.draw_findings)
        await self.fill(texts, w("training_text"), lambda: _texts(self.desk, self.number, self.recipe, self.train), self.draw_texts)

    async def fill(self, place: ui.element, title: str, work: Callable[[], T], draw: Callable[[T], None]) -> None:
        """Compute in a thread, then draw; an error is drawn in the place of its result."""
        with place:
            heading(title)
            waiting = text("p", "…", "dg-soft")
        try:
            result = await run.io_bound(work)
        except DatagenError as error:
            with place:
                text("p", str(error), "dg-note reject")
        else:
            assert result is not None, "the server is shutting down"
            with place:
                draw(result)
        waiting.delete()

    def draw_texts(self, preview: TrainingTexts) -> None:
        w = self.visitor.w
        text("p", f"{w('trained_marked')} {w('template', name=preview.template)} · {preview.model}", "dg-soft")
        for pieces in preview.texts:
            markup(mark_segments(pieces), "dg-pre")

    def draw_findings(self, report: Report) -> None:
        w = self.visitor.w
        text("p", w("kept_of", kept=report.kept, rows=report.rows, dropped=report.dropped, crash=report.would_crash)).mark("fates")
        if not report.findings:
            text("p", w("no_findings"), "dg-soft")
            return
        rows = [(f.severity, f.line or "–", f.code, f.message, f.fix) for f in report.findings[:SHOWN_FINDINGS]]
        table((w("severity"), w("row"), "", w("what"), w("fix")), rows)

    def draw_registered(self) -> None:
        w = self.visitor.w
        self.registered.clear()
        with self.registered:
            if (self.desk.workspace.data_dir / FILE_NAME).is_file():
                rows = [(e.name, e.rows or "–", e.file_name, e.state) for e in list_registered(self.desk.workspace.data_dir)]
                table((w("entry"), w("rows"), "", w("status")), rows, numeric=(1,))

    def register(self) -> None:
        """Register the rows as they are after review, and show the command that trains on them."""
        w = self.visitor.w
        name = str(self.name.value or "").strip()
        try:
            done = register(self.desk.workspace.data_dir, name, self.train, self.exam, replace="own")
            path = self._config(name, has_eval=done.eval_entry is not None)
        except DatagenError as error:
            tell_error(error)
            return
        self.done.clear()
        with self.done:
            text("p", w("registered", name=done.train_entry, rows=done.train_rows), "dg-advice").mark("registered")
            command(w("train_command"), train_command(path), self.visitor)
        self.draw_registered()

    def _config(self, name: str, *, has_eval: bool) -> Path:
        model, template = _model(self.desk, self.recipe)
        root = self.desk.workspace.root
        path = self.desk.workspace.data_dir / f"{name}.train.yaml"
        config = train_yaml(
            name,
            data_dir=self.desk.workspace.data_dir,
            model=model,
            template=template,
            output_dir=str(root / "saves" / name),
            has_eval=has_eval,
            train_rows=len(self.train),
        )
        write_bytes(path, config.encode())
        return path


def _model(desk: Desk, recipe: str) -> tuple[str, str]:
    """Return the recipe's model and template; a recipe that is not found by name any more gives the default."""
    try:
        spec = load_recipe(recipe, roots=(desk.workspace.root,)).register_as
    except DatagenError:
        return DEFAULT_MODEL, choose_template(DEFAULT_MODEL).name
    return spec.model, spec.template


def _texts(desk: Desk, number: int, recipe: str, samples: list[Sample]) -> TrainingTexts:
    """Show texts under the recipe's model if it lies on this machine, else under the probe's."""
    from datagen.probe.models.known import resolve_model

    model, _ = _model(desk, recipe)
    if Path(model).is_dir():
        return training_texts(recipe, samples, model)
    result = desk.workspace.iteration(number) / "probe" / "result.json"
    probe = str(read_json(result)["model"]) if result.is_file() else "tiny"
    return training_texts(recipe, samples, resolve_model(probe).prepare("bfloat16"), label=probe)


def _samples(path: Path) -> list[Sample]:
    return [Sample.model_validate(row.value) for row in read_rows(path)]
