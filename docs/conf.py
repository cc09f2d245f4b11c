"""Sphinx settings of the guide, one build a language: ``make docs``. Pages lie side by side, so that each links to its twin."""

import runpy
import tomllib
from pathlib import Path
from typing import Any

project = "datagen"
version = release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["version"]
author = "datagen"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
templates_path = ["templates"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

# The reference is read from the code as it is; what the code does not import need not be installed.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "datagen"
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_copy_source = False
html_show_copyright = False


def setup(app: Any) -> None:
    """Write the page of options from the command line as it is now."""
    here = Path(__file__).parent
    page = runpy.run_path(str(here / "options.py"))["options_page"]
    for language in ("en", "zh"):
        (here / language / "options.md").write_text(page(language), encoding="utf-8")
