"""Regenerate the .docx and .pdf documents of this example from Markdown sources.

Every file ``sources/<path>/<name>.docx.md`` becomes ``docs/<path>/<name>.docx``, and every
``sources/<path>/<name>.pdf.md`` becomes ``docs/<path>/<name>.pdf``. The sources use a small
Markdown subset: ``#`` to ``###`` headings, paragraphs, ``-`` and ``1.`` lists, pipe tables and
``**bold**``. Output is the same on every run with the same library versions.

Needs python-docx and reportlab, which datagen itself does not need::

    pip install python-docx reportlab
    python build_documents.py
"""

from __future__ import annotations

import datetime
import io
import re
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from docx import Document
from docx.oxml.ns import qn
from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "sources"
DOCS = HERE / "docs"
FIXED_DATE = datetime.datetime(2025, 1, 1)
LATIN_FONT = "Helvetica"
CHINESE_FONT = "STSong-Light"


@dataclass
class Block:
    """One block of a source: a heading, a paragraph, a list item or a table."""

    kind: str  # "h1", "h2", "h3", "p", "bullet", "number" or "table"
    text: str = ""
    number: int = 0
    rows: list[list[str]] = field(default_factory=list)


def parse(markdown: str) -> list[Block]:
    """Split the Markdown subset into blocks."""
    blocks: list[Block] = []
    for raw in markdown.splitlines():
        line = raw.strip()
        if not line:
            continue
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                continue
            if not blocks or blocks[-1].kind != "table":
                blocks.append(Block("table"))
            blocks[-1].rows.append(cells)
        elif heading := re.match(r"(#{1,3}) (.+)", line):
            blocks.append(Block(f"h{len(heading[1])}", heading[2]))
        elif line.startswith("- "):
            blocks.append(Block("bullet", line[2:]))
        elif item := re.match(r"(\d+)\. (.+)", line):
            blocks.append(Block("number", item[2], number=int(item[1])))
        else:
            blocks.append(Block("p", line))
    return blocks


def bold_parts(text: str) -> list[tuple[str, bool]]:
    """Split ``a **b** c`` into text parts, each with whether it is bold."""
    return [(part, index % 2 == 1) for index, part in enumerate(text.split("**")) if part]


def write_docx(blocks: list[Block], target: Path, chinese: bool) -> None:
    """Write the blocks as a Word document with real heading, list and table styles."""
    document = Document()
    properties = document.core_properties
    properties.author = "Brookrest Booking (fictional)"
    properties.title = blocks[0].text
    properties.comments = ""
    properties.created = properties.modified = FIXED_DATE
    if chinese:
        normal = document.styles["Normal"]
        normal.font.name = "SimSun"
        normal.element.rPr.rFonts.set(qn("w:eastAsia"), "SimSun")
    for block in blocks:
        if block.kind == "table":
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
            continue
        if block.kind.startswith("h"):
            paragraph = document.add_heading(level=int(block.kind[1]))
        elif block.kind == "bullet":
            paragraph = document.add_paragraph(style="List Bullet")
        elif block.kind == "number":
            # The number is written out, so that each list starts again at 1.
            paragraph = document.add_paragraph(f"{block.number}. ")
        else:
            paragraph = document.add_paragraph()
        for part, bold in bold_parts(block.text):
            paragraph.add_run(part).bold = bold or None
    buffer = io.BytesIO()
    document.save(buffer)
    repack(buffer, target)


def repack(buffer: io.BytesIO, target: Path) -> None:
    """Copy a docx package with fixed time stamps and without the template's thumbnail."""
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(target, "w") as package:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/thumbnail.jpeg":
                continue
            if name == "_rels/.rels":
                data = re.sub(rb"<Relationship [^>]*thumbnail[^>]*/>", b"", data)
            info = zipfile.ZipInfo(name, date_time=FIXED_DATE.timetuple()[:6])
            package.writestr(info, data, zipfile.ZIP_DEFLATED, compresslevel=9)


def write_pdf(blocks: list[Block], target: Path, chinese: bool) -> None:
    """Write the blocks as a PDF with a text layer."""
    font = CHINESE_FONT if chinese else LATIN_FONT
    bold_font = CHINESE_FONT if chinese else "Helvetica-Bold"
    wrap = "CJK" if chinese else None

    def style(name: str, size: float, before: float, after: float, bold: bool) -> ParagraphStyle:
        return ParagraphStyle(
            name,
            fontName=bold_font if bold else font,
            fontSize=size,
            leading=size * 1.5,
            spaceBefore=before,
            spaceAfter=after,
            alignment=TA_LEFT,
            wordWrap=wrap,
        )

    styles = {
        "h1": style("h1", 18, 0, 8, True),
        "h2": style("h2", 14, 10, 4, True),
        "h3": style("h3", 11.5, 6, 3, True),
        "p": style("p", 10.5, 0, 5, False),
        "cell": style("cell", 9.5, 0, 0, False),
        "head": style("head", 9.5, 0, 0, True),
    }
    item = ParagraphStyle("item", parent=styles["p"], leftIndent=14)

    def markup(text: str) -> str:
        parts = bold_parts(text)
        return "".join(f"<b>{escape(t)}</b>" if b and not chinese else escape(t) for t, b in parts)

    story: list[Flowable] = []
    for block in blocks:
        if block.kind == "table":
            cells = [
                [Paragraph(markup(text), styles["cell" if number else "head"]) for text in row] for number, row in enumerate(block.rows)
            ]
            table = Table(cells, colWidths=[170 * mm / len(cells[0])] * len(cells[0]))
            table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))
            story += [table, Spacer(1, 6)]
        elif block.kind == "bullet":
            # A hyphen, so that the extracted text reads like the Markdown source.
            story.append(Paragraph("- " + markup(block.text), item))
        elif block.kind == "number":
            story.append(Paragraph(f"{block.number}. " + markup(block.text), item))
        else:
            story.append(Paragraph(markup(block.text), styles[block.kind]))
    SimpleDocTemplate(
        str(target),
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title=blocks[0].text,
        author="Brookrest Booking (fictional)",
        invariant=1,
    ).build(story)


def main() -> None:
    """Regenerate every document that has a source."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    for source in sorted(SOURCES.rglob("*.md")):
        relative = source.relative_to(SOURCES)
        target = DOCS / relative.with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        blocks = parse(source.read_text(encoding="utf-8"))
        write = write_docx if target.suffix == ".docx" else write_pdf
        write(blocks, target, chinese=relative.parts[0] == "zh")
        sys.stdout.write(f"{target.relative_to(HERE)}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
