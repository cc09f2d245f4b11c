"""Fill a page's template: everything from data is escaped, a name that is missing is an error, long texts are clipped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def fill(template: Path, *, longest: int, **values: Any) -> str:
    """Return the page as text; the filter ``clip`` cuts a text after ``longest`` characters and says how many are left out."""

    def clip(text: str) -> str:
        return text if len(text) <= longest else f"{text[:longest]} … (+{len(text) - longest})"

    environment = Environment(loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined)
    environment.filters["clip"] = clip
    return environment.get_template(template.name).render(values)
