"""The two questions Review asks: why a row is rejected, and what its texts should be."""

from functools import partial

from nicegui import events, ui

from datagen.schemas.sample import Sample
from datagen.ui.data.editing import turns
from datagen.ui.frame import button, heading, is_plain_press, tag, text
from datagen.ui.visitor import Visitor

LONGEST_EDIT = 50_000
REASONS = ("reason_wrong", "reason_outdated", "reason_unsupported", "reason_unclear", "reason_useless", "reason_style")


async def ask_reason(visitor: Visitor) -> str | None:
    """Ask for a reason: a digit chooses one, or it is typed. None if cancelled."""
    w = visitor.w
    with ui.dialog() as dialog, ui.card().classes("dg-dialog"):
        heading(w("reject_row"), 3)
        with tag("div", "dg-reasons"):
            for at, key in enumerate(REASONS, start=1):
                button(w(key), partial(dialog.submit, w(key)), "flat", str(at))
        other = ui.input(label=w("other_reason")).props("outlined dense maxlength=300").classes("dg-wide").mark("other-reason")

        def give() -> None:
            if str(other.value or "").strip():
                dialog.submit(str(other.value).strip())
            else:
                ui.notify(w("need_reason"))

        other.on("keydown.enter", give)
        with tag("div", "dg-row"):
            button(w("cancel"), lambda: dialog.submit(None), "flat")
            button(w("reject"), give, "negative").mark("confirm-reject")

        def digit(event: events.KeyEventArguments) -> None:
            number = event.key.number
            if is_plain_press(event) and number is not None and 1 <= number <= len(REASONS):
                dialog.submit(w(REASONS[number - 1]))

        ui.keyboard(on_key=digit, ignore=["input", "textarea"])
    reason = await dialog
    dialog.delete()
    return reason


async def ask_edit(visitor: Visitor, sample: Sample) -> list[str] | None:
    """Let all texts of a row be edited; Ctrl+Enter saves. None if cancelled."""
    w = visitor.w
    if max(len(turn.text) for turn in turns(sample.record)) > LONGEST_EDIT:
        # A field that grows with a text this long stops the browser.
        ui.notify(w("too_long_to_edit", most=LONGEST_EDIT), type="warning", multi_line=True, timeout=8000)
        return None
    with ui.dialog().props("persistent") as dialog, ui.card().classes("dg-dialog dg-wide-dialog"):
        heading(w("edit_row"), 3)
        fields: list[ui.textarea] = []

        def keep() -> None:
            dialog.submit([str(f.value or "") for f in fields])

        for turn in turns(sample.record):
            text("div", w(turn.role), "dg-role")
            field = ui.textarea(value=turn.text).props("outlined autogrow dense").classes("dg-wide").mark(f"edit-{turn.role}")
            field.props["aria-label"] = w(turn.role)
            field.on("keydown.ctrl.enter", keep).on("keydown.meta.enter", keep).on("keydown.esc", lambda: dialog.submit(None))
            fields.append(field)
        with tag("div", "dg-row"):
            button(w("cancel"), lambda: dialog.submit(None), "flat", "Esc")
            button(w("save"), keep, "", "Ctrl+Enter").mark("save-edit")
    texts = await dialog
    dialog.delete()
    return texts
