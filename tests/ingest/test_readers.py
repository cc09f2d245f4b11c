"""One file of each type, built here, read to Markdown; and what each reader refuses."""

import io
import zipfile
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.ingest.decoding import Unreadable, decode
from datagen.ingest.docx import docx_to_markdown
from datagen.ingest.html import html_to_markdown
from datagen.ingest.pdf import pdf_to_markdown
from datagen.ingest.reading import READERS, Reader

RULE = "退房时间是中午 12 点，会员可以延迟到下午 2 点，超时按半天房费收取。"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{WORD_TYPE}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{WORD_TYPE}.styles+xml"/></Types>'
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
)
DOCUMENT_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>'
)
STYLES = f'<w:styles {W}><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>'


def _paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def _docx(body: str, *, head: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/_rels/document.xml.rels", DOCUMENT_RELATIONS)
        archive.writestr("word/styles.xml", STYLES)
        archive.writestr("word/document.xml", f"{head}<w:document {W}><w:body>{body}</w:body></w:document>")
    return file.getvalue()


def _pdf(pages: Sequence[Sequence[tuple[float, float, float, str]]]) -> bytes:
    """Write text at (left, bottom, size) in Helvetica."""
    contents = ["".join(f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n" for x, y, size, text in page) for page in pages]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, content in enumerate(contents):
        resources = "/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * i} 0 R >>")
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}endstream")
    out = "%PDF-1.4\n"
    offsets: list[int] = []
    for number, value in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{value}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010d} 00000 n \n" for at in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("ascii")


def _reason(read: Callable[[], str]) -> str:
    with pytest.raises(Unreadable) as caught:
        read()
    return caught.value.reason


def test_html_headings_tables_and_numbered_lists() -> None:
    text = html_to_markdown(
        """<html><head><meta charset="utf-8"><title>费用</title><style>p {color: red}</style></head><body>
        <nav>首页 帮助</nav><h1>取消费用</h1><p>退房时间是&nbsp;12&nbsp;点。</p>
        <table><tr><th>提前</th><th>费用</th></tr><tr><td>3 天</td><td>0 元</td></tr><tr><td>1 天</td><td>80 元</td></tr></table>
        <ol start="3"><li>打开订单</li><li>点取消</li></ol><ul><li>Free of charge</li></ul>
        <p hidden>内部备注</p><div style="display: none">草稿</div><script>alert("房价")</script></body></html>""".encode()
    )
    assert "# 取消费用" in text.splitlines()
    assert "| 提前 | 费用 |\n| --- | --- |\n| 3 天 | 0 元 |\n| 1 天 | 80 元 |" in text
    assert "3. 打开订单\n4. 点取消" in text
    assert "- Free of charge" in text.splitlines()
    assert "退房时间是 12 点。" in text
    assert not any(word in text for word in ("首页", "内部备注", "草稿", "alert", "color"))


def test_html_cells_and_headings_hold_what_a_browser_shows() -> None:
    hidden = "<script>var a;</script><style>p {}</style><span hidden>内部</span>"
    table = (
        f'<table><tbody><tr><td>退<b>房</b><br>Mo<b>n</b>day</td><td>12<sup>点</sup>{hidden}</td></tr><tr class="footer"><td>合计</td></tr>'
        '<tr style="display: none"><td>草稿</td></tr></tbody><tbody hidden><tr><td>作废</td></tr></tbody></table>'
    )
    assert html_to_markdown(f"<h1>Check<br>out{hidden}</h1>{table}".encode()) == (
        "# Check out\n\n| 退房 Monday | 12点 |\n| --- | --- |\n| 合计 |  |\n"
    )
    assert html_to_markdown(f"<table><tr><td>{'<b>' * 3000}房</td></tr></table>".encode()) == "| 房 |\n| --- |\n"


def test_html_in_a_declared_gb2312() -> None:
    page = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head><body><p>{RULE}</p></body></html>'
    assert html_to_markdown(page.encode("gb2312")).strip() == RULE


def test_broken_html_is_read_as_browsers_do() -> None:
    assert html_to_markdown("<p>押金<b>三天<p>早餐七点".encode()).strip() == "押金三天\n\n早餐七点"
    assert html_to_markdown(b"") == ""


def test_docx_headings_paragraphs_and_tables() -> None:
    body = _paragraph("取消规则", "Heading1") + _paragraph(RULE) + _table([("提前", "费用"), ("3 天", "0 元")])
    assert docx_to_markdown(_docx(body)) == f"# 取消规则\n\n{RULE}\n\n| 提前 | 费用 |\n| --- | --- |\n| 3 天 | 0 元 |\n"


def test_docx_that_is_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 20_000_000)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    entity = '<!DOCTYPE d [<!ENTITY a "房">]>'
    assert _reason(lambda: docx_to_markdown(bomb.getvalue())) == "zip_bomb"
    assert _reason(lambda: docx_to_markdown(other.getvalue())) == "broken"
    assert _reason(lambda: docx_to_markdown(_docx(_paragraph("房"), head=entity))) == "broken"
    assert _reason(lambda: docx_to_markdown(_docx(_paragraph("房"))[:-30])) == "broken"
    assert _reason(lambda: docx_to_markdown(_docx("<w:p><w:r>"))) == "broken"
    assert _reason(lambda: docx_to_markdown(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) == "encrypted"


def test_pdf_headings_by_size_tables_by_gaps_and_joined_lines() -> None:
    page = [
        (60, 780, 18, "House rules"),
        (60, 750, 11, "Guests may check out until noon. Members of the gold tier may stay"),
        (60, 736, 11, "until two in the afternoon, free of charge, if the room is not booked."),
        (60, 700, 11, "Tier"),
        (240, 700, 11, "Late check-out"),
        (60, 684, 11, "Silver"),
        (240, 684, 11, "13:00"),
        (60, 668, 11, "Gold"),
        (240, 668, 11, "14:00"),
        (60, 630, 14, "Deposit"),
        (60, 610, 11, "The deposit comes back within three working days after the guest has left."),
    ]
    assert pdf_to_markdown(_pdf([page])).rstrip().split("\n\n") == [
        "# House rules",
        "Guests may check out until noon. Members of the gold tier may stay until two in the afternoon, "
        "free of charge, if the room is not booked.",
        "| Tier | Late check-out |\n| --- | --- |\n| Silver | 13:00 |\n| Gold | 14:00 |",
        "## Deposit",
        "The deposit comes back within three working days after the guest has left.",
    ]


def test_pdf_running_heads_and_page_numbers_go() -> None:
    rules = ("Check-out is at noon on the day of departure.", "Breakfast opens at seven on Sundays.", "Dogs cost five dollars a night.")
    pages = [[(60, 810, 9, "Brookrest guide"), (60, 700, 11, rule), (290, 30, 9, f"{n}")] for n, rule in enumerate(rules, 1)]
    text = pdf_to_markdown(_pdf(pages))
    assert "Brookrest" not in text
    assert text.split() == " ".join(rules).split()


def test_pdf_that_is_refused() -> None:
    assert _reason(lambda: pdf_to_markdown(_pdf([[]]))) == "no_text_layer"
    assert _reason(lambda: pdf_to_markdown(b"%PDF-1.4\nbroken")) == "broken"
    locked = _pdf([[(60, 700, 11, "secret")]]).replace(
        b"/Root 1 0 R >>",
        b"/Root 1 0 R /ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> >> >>",
    )
    assert _reason(lambda: pdf_to_markdown(locked)) == "encrypted"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk", "big5"])
def test_encodings(encoding: str) -> None:
    rule = RULE if encoding != "big5" else "退房時間是中午 12 點，會員可以延遲到下午 2 點，逾時按半天房費收取。"
    assert decode(rule.encode(encoding)) == rule


def test_line_ends_become_newlines() -> None:
    assert decode("退房\r\n押金\r早餐\n".encode()) == "退房\n押金\n早餐\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("Café crème brûlée à la carte, naïve façade".encode("latin-1"), "wrong_encoding"),
        (b"\xff\xfe\x00\xd8", "wrong_encoding"),
        (b"deposit\x00back", "binary"),
        (b"%PDF-1.7 renamed", "binary"),
        (bytes(range(1, 9)) * 20, "binary"),
    ],
)
def test_what_is_no_text(data: bytes, reason: str) -> None:
    assert _reason(lambda: decode(data)) == reason


SHAPED = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=200).map(lambda tail: b"%PDF-1.4\n" + tail),
    st.binary(max_size=200).map(lambda tail: _docx(_paragraph("房"))[:400] + tail),
    st.text(alphabet="<>/ptablerdoliu房 =\"'&;#", max_size=200).map(str.encode),
)


@pytest.mark.parametrize("suffix", sorted(READERS))
@settings(max_examples=25, deadline=None)
@given(data=SHAPED)
def test_a_reader_gives_text_or_a_reason_whatever_the_bytes(suffix: str, data: bytes) -> None:
    read: Reader = READERS[suffix][1]
    assert _outcome(read, data)[1]


def _outcome(read: Reader, data: bytes) -> tuple[str, bool]:
    """Return the text or the reason, and whether it has the form it should have."""
    try:
        text = read(data)
    except Unreadable as refused:
        return refused.reason, refused.reason.isidentifier()
    return text, "\r" not in text
