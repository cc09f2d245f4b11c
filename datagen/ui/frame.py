"""What all pages have in common: head, navigation, language and theme, and the small parts they are built from."""

import shlex
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from nicegui import events, ui

from datagen.ui.desk import Desk
from datagen.ui.failing import explained
from datagen.ui.visitor import Visitor

T = TypeVar("T")
PAGES = ("overview", "run", "review", "coverage", "duplicates", "compare", "export")


def path_of(page: str) -> str:
    """Return a page's path."""
    return "/" if page == "overview" else f"/{page}"


@contextmanager
def frame(desk: Desk, visitor: Visitor, active: str) -> Generator[None]:
    """Open a page's frame; its content goes inside."""
    ui.page_title(f"{visitor.w(active)} · datagen")
    # What a button, a key or a timer raises and nobody catches is told as well: nothing may look as if it had been saved.
    ui.on_exception(lambda error: tell_error(error, visitor))
    ui.dark_mode({"auto": None, "light": False, "dark": True}[visitor.theme])
    ui.add_head_html('<link rel="stylesheet" href="/assets/style.css">')
    # Screen readers and hyphenation need the page's language; NiceGUI sets its own.
    ui.add_head_html(f'<script>document.documentElement.lang="{"zh-CN" if visitor.language == "zh" else "en"}"</script>')
    ui.context.client.content.classes("dg-content")
    with tag("a", "dg-skip").props('href="#main"'):
        ui.label(visitor.w("skip"))
    with tag("header", "dg-header"):
        text("div", f"datagen · {desk.workspace.root.name}", "dg-brand").props["title"] = str(desk.workspace.root)
        with tag("nav", "dg-nav"):
            for page in PAGES:
                link(visitor.w(page), path_of(page), "active" if page == active else "").props(
                    'aria-current="page"' if page == active else ""
                )
        with tag("div", "dg-switches"):
            other = "en" if visitor.language == "zh" else "zh"
            link("English" if other == "en" else "中文", _settings(visitor, lang=other), "dg-lang")
            following = {"auto": "dark", "dark": "light", "light": "auto"}[visitor.theme]
            link(visitor.w(f"theme_{visitor.theme}"), _settings(visitor, theme=following), "dg-theme")
            name = visitor.name or visitor.w("your_name")
            link(name, "#", "dg-name").on("click.prevent", lambda: _ask_name(visitor))
            asked = button("?", lambda: keys.set_visibility(not keys.visible), "flat dg-ask-keys")
            asked.props["aria-label"] = asked.props["title"] = visitor.w("keys")
    keys = _keys(visitor, active)

    def press(event: events.KeyEventArguments) -> None:
        if not is_plain_press(event):
            return
        if event.key.name == "?":
            keys.set_visibility(not keys.visible)
        elif event.key.name in ("[", "]"):
            step = 1 if event.key.name == "]" else -1
            ui.navigate.to(path_of(PAGES[(PAGES.index(active) + step) % len(PAGES)]))

    ui.keyboard(on_key=press, ignore=["input", "select", "textarea"])
    with tag("main", "dg-main").props('id="main"'):
        yield


def is_plain_press(event: events.KeyEventArguments) -> bool:
    """Say whether a key went down by itself: with Ctrl, Alt or Meta it is the browser's or the system's."""
    return event.action.keydown and not (event.modifiers.ctrl or event.modifiers.meta or event.modifiers.alt)


async def patiently(visitor: Visitor, work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` gives, told as under way once the page stands; see :func:`datagen.ui.data.apart.apart` for where it runs."""
    waiting = text("p", visitor.w("reading"), "dg-soft").mark("waiting")
    try:
        await ui.context.client.connected()
        return await work()
    finally:
        remove(waiting)


def remove(element: ui.element) -> None:
    """Delete an element, unless its page was left meanwhile."""
    if not element.is_deleted:
        element.delete()


def tag(name: str, classes: str = "") -> ui.element:
    """Return an HTML element to put others into."""
    return ui.element(name).classes(classes)


def text(name: str, content: object, classes: str = "") -> ui.element:
    """Return an HTML element that holds text; the browser shows it, never runs it."""
    element = ui.element(name).classes(classes)
    with element:
        ui.label(str(content)).classes("dg-text")
    return element


def markup(content: str, classes: str = "", name: str = "div") -> ui.html:
    """Return an element of ready HTML; only ``datagen.ui.data.marking`` and pictures drawn here may make it."""
    return ui.html(content, sanitize=False, tag=name).classes(classes)


def link(words: str, target: str, classes: str = "") -> ui.element:
    """Return a link within the page's own server."""
    element = ui.element("a").classes(classes)
    element.props["href"] = target
    with element:
        ui.label(words).classes("dg-text")
    return element


def button(words: str, action: Callable[..., object], classes: str = "", key: str = "") -> ui.button:
    """Return a button; ``key`` is shown as its keyboard shortcut."""
    made = ui.button(words, on_click=action, color=None).props("no-caps unelevated dense").classes(f"dg-button {classes}")
    if key:
        with made:
            text("kbd", key)
    return made


def heading(words: str, level: int = 2) -> ui.element:
    """Return a heading."""
    return text(f"h{level}", words)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, numeric: Sequence[int] = (), classes: str = "") -> None:
    """Draw a plain table that scrolls sideways where it is too wide."""
    with tag("div", "dg-scroll"), tag("table", f"dg-table {classes}"):
        with tag("thead"), tag("tr"):
            for at, column in enumerate(columns):
                text("th", column, "n" if at in numeric else "")
        with tag("tbody"):
            for row in rows:
                with tag("tr"):
                    for at, cell in enumerate(row):
                        text("td", cell, "n" if at in numeric else "")


def command(words: str, line: str, visitor: Visitor) -> None:
    """Show a command with a button that copies it."""
    with tag("div", "dg-command"):
        text("div", words, "dg-soft")
        with tag("div", "dg-command-line"):
            text("code", line)

            def copy() -> None:
                ui.clipboard.write(line)
                ui.notify(visitor.w("copied"))

            button(visitor.w("copy"), copy, "flat")


def shown_path(path: Path) -> str:
    """Return a path as a person types it in a shell, quoted: from the home folder where it lies in there."""
    home = Path.home()
    if path.is_relative_to(home) and path != home:
        return f"~/{shlex.quote(str(path.relative_to(home)))}"
    return shlex.quote(str(path))


def choose_iteration(desk: Desk, visitor: Visitor, number: int) -> None:
    """Show links to the same page of other iterations."""
    numbers = desk.numbers()
    if len(numbers) < 2:
        return
    with tag("div", "dg-iterations"):
        text("span", visitor.w("iteration"), "dg-soft")
        for n in numbers[-12:]:
            link(str(n), f"{visitor.path}?{urlencode({'n': n})}", "active" if n == number else "")


def nothing_yet(visitor: Visitor) -> None:
    """Say that there is nothing to show, and where to begin."""
    with tag("div", "dg-empty"):
        text("p", visitor.w("nothing_yet"))
        link(visitor.w("go_run"), "/run", "dg-link-button")


def tell_error(error: Exception, visitor: Visitor) -> None:
    """Show an error the way the command line does: what happened, then what to do."""
    told = explained(error, visitor.language)
    ui.notify(
        told.message if not told.hint else f"{told.message} — {told.hint}",
        type="negative",
        multi_line=True,
        timeout=8000,
        close_button=True,
    )


def show_error(error: Exception, visitor: Visitor) -> None:
    """Show an error in the place of content."""
    told = explained(error, visitor.language)
    with tag("div", "dg-note reject"):
        text("p", told.message)
        if told.hint:
            text("p", told.hint, "dg-soft")


def _keys(visitor: Visitor, page: str) -> ui.element:
    """Draw the keys of this page, hidden until somebody asks with ``?``. No dialog, so that the keys listed work while it is open."""
    with tag("section", "dg-keys-panel").props(f'role=region aria-label="{visitor.w("keys")}"').mark("keys") as panel:
        heading(visitor.w("keys"), 3)
        with tag("dl", "dg-facts"):
            for line in (visitor.w(f"keys_{page}"), visitor.w("keys_everywhere")):
                for entry in filter(None, line.split(" · ")):
                    key, _, meaning = entry.partition(": ")
                    text("dt", key)
                    text("dd", meaning)
    panel.set_visibility(False)
    return panel


def _settings(visitor: Visitor, **change: str) -> str:
    here = f"{visitor.path}?{urlencode(dict(visitor.query))}" if visitor.query else visitor.path
    return f"/settings?{urlencode({**change, 'next': here})}"


def _ask_name(visitor: Visitor) -> None:
    with ui.dialog() as dialog, ui.card().classes("dg-dialog"):
        heading(visitor.w("your_name"), 3)
        field = ui.input(value=visitor.name).props("outlined dense autofocus maxlength=40")
        field.props["aria-label"] = visitor.w("your_name")

        def keep() -> None:
            ui.navigate.to(_settings(visitor, name=str(field.value or "")))

        field.on("keydown.enter", keep)
        with tag("div", "dg-row"):
            button(visitor.w("cancel"), dialog.close, "flat")
            button(visitor.w("save"), keep)
    dialog.open()
