"""Every file of a folder is a document or is skipped for a reason."""

import os
from pathlib import Path

import pytest

from datagen.errors import UsageError
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document

RULE = "退房时间是中午 12 点，会员可以延迟到下午 2 点。\n"


def _skipped(folder: Path, **options: int) -> dict[str, str]:
    (folder / "规则.md").write_text(RULE, encoding="utf-8")
    result = ingest_paths([folder], **options)
    assert [d.path for d in result.documents] == ["规则.md"]
    return {s.path: s.reason for s in result.skipped}


def test_a_folder_in_path_order_with_titles_languages_and_sections(tmp_path: Path) -> None:
    (tmp_path / "英文").mkdir()
    (tmp_path / "退房.md").write_text("# 退房\n\n中午 12 点。\n\n## 会员\n\n下午 2 点。\n", encoding="utf-8")
    (tmp_path / "英文" / "fees.txt").write_text("The cleaning fee is USD 12.50.\n", encoding="utf-8")
    (tmp_path / "早餐.html").write_text("<h1>早餐</h1><p>七点开始。</p>", encoding="utf-8")
    result = ingest_paths([tmp_path])
    found = [(d.path, d.media_type, d.language, d.title) for d in result.documents]
    assert found == [
        ("早餐.html", "html", "zh", "早餐"),
        ("英文/fees.txt", "txt", "en", "fees"),
        ("退房.md", "md", "zh", "退房"),
    ]
    assert result.skipped == []
    last = result.documents[2]
    assert [(s.heading_path, last.text[s.start : s.end]) for s in last.sections] == [
        (("退房",), "# 退房\n\n中午 12 点。\n\n"),
        (("退房", "会员"), "## 会员\n\n下午 2 点。\n"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("空.md", b"", "empty"),
        ("空白.txt", " \n\u3000\n".encode(), "empty"),
        ("空.html", b"<html><body><script>1</script></body></html>", "empty"),
        ("图.png", b"\x89PNG\r\n", "unsupported_type"),
        ("无后缀", RULE.encode(), "unsupported_type"),
        ("图.md", b"\x89PNG\r\n\x1a\n", "binary"),
        ("零.txt", b"a\x00b", "binary"),
        (".隐藏.md", RULE.encode(), "hidden"),
        ("重复.md", RULE.encode(), "duplicate_document"),
        ("坏.pdf", b"%PDF-1.4\n", "broken"),
        ("坏.docx", b"PK\x03\x04", "broken"),
        ("乱码.txt", "Café crème brûlée, naïve façade".encode("latin-1"), "wrong_encoding"),
    ],
)
def test_reasons(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    if reason == "duplicate_document":
        (tmp_path / "规则.md").write_bytes(data)
        result = ingest_paths([tmp_path])
        assert [(s.path, s.reason, s.detail) for s in result.skipped] == [(name, reason, "same bytes as 规则.md")]
    else:
        assert _skipped(tmp_path) == {name: reason}


def test_too_large(tmp_path: Path) -> None:
    (tmp_path / "大.md").write_text(RULE * 20, encoding="utf-8")
    assert _skipped(tmp_path, max_bytes=500) == {"大.md": "too_large"}


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, docs = tmp_path / "outside", tmp_path / "docs"
    outside.mkdir()
    docs.mkdir()
    (outside / "工资.md").write_text("工资表，保密。\n", encoding="utf-8")
    (docs / "工资.md").symlink_to(outside / "工资.md")
    (docs / "文件夹").symlink_to(outside)
    (docs / "断了.md").symlink_to(docs / "没有.md")
    (docs / "别名.md").symlink_to(docs / "规则.md")
    os.mkfifo(docs / "管道.md")
    (docs / ".git").mkdir()
    (docs / ".git" / "描述.md").write_text("描述。\n", encoding="utf-8")
    (docs / "规则.md").write_text(RULE, encoding="utf-8")
    result = ingest_paths([docs])
    assert [d.path for d in result.documents] == ["别名.md"]
    assert {s.path: s.reason for s in result.skipped} == {
        ".git": "hidden",
        "工资.md": "outside_folder",
        "文件夹": "outside_folder",
        "断了.md": "not_a_file",
        "管道.md": "not_a_file",
        "规则.md": "duplicate_document",
    }


def test_two_folders_with_the_same_file_name(tmp_path: Path) -> None:
    for folder, text in (("甲店", "甲店七点早餐。\n"), ("乙店", "乙店八点早餐。\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "早餐.md").write_text(text, encoding="utf-8")
    result = ingest_paths([tmp_path / "甲店", tmp_path / "乙店"])
    assert [(d.path, d.text) for d in result.documents] == [("早餐.md", "甲店七点早餐。\n"), ("乙店/早餐.md", "乙店八点早餐。\n")]


def test_folders_of_one_name_give_every_document_a_name_of_its_own(tmp_path: Path) -> None:
    for n, group in enumerate("甲乙丙"):
        (tmp_path / group / "店" / "店").mkdir(parents=True)
        (tmp_path / group / "店" / "早餐.md").write_text(f"{n + 6}点早餐。\n", encoding="utf-8")
    (tmp_path / "甲" / "店" / "店" / "早餐.md").write_text("店中店九点早餐。\n", encoding="utf-8")
    result = ingest_paths([tmp_path / group / "店" for group in "甲乙丙"])
    assert [d.path for d in result.documents] == ["店/早餐.md", "早餐.md", "乙/店/早餐.md", "丙/店/早餐.md"]
    again = ingest_paths([tmp_path / "乙" / "店"] * 3)
    assert [d.path for d in again.documents] == ["早餐.md"]
    assert [(s.path, s.reason) for s in again.skipped] == [("店/早餐.md", "duplicate_document"), ("乙/店/早餐.md", "duplicate_document")]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no files"):
        ingest_paths([tmp_path])
    with pytest.raises(UsageError, match="no such file or folder"):
        ingest_paths([tmp_path / "无"])
    (tmp_path / "空.md").touch()
    with pytest.raises(UsageError, match=r"skipped: empty 1; 空\.md: empty"):
        ingest_paths([tmp_path])


def test_every_file_of_the_example_is_read(repo: Path) -> None:
    result = ingest_paths([repo / "examples" / "hotel_ota" / "docs"])
    assert (len(result.documents), result.skipped) == (44, [])
    assert {d.media_type for d in result.documents} == {"md", "txt", "html", "pdf", "docx"}
    assert {d.language for d in result.documents} == {"zh", "en"}
    for document in result.documents:
        assert document.language == document.path.split("/")[0]
        assert document.sections[0].start == 0
        assert [s.end for s in document.sections[:-1]] == [s.start for s in document.sections[1:]]
        assert document.sections[-1].end == len(document.text)
        chunks = chunk_document(document)
        assert all(c.text == document.text[c.start : c.end] for c in chunks)
        assert "".join("".join(c.text for c in chunks).split()) == "".join(document.text.split())


def test_tables_of_the_example_pdfs_are_tables(repo: Path) -> None:
    docs = repo / "examples" / "hotel_ota" / "docs"
    invoices = ingest_paths([docs / "zh" / "支付与发票" / "发票开具指南.pdf"]).documents[0]
    assert "| 国内预付 | 枕溪 | 电子普票、电子专票 | 离店次日 |" in invoices.text.splitlines()
    assert ("发票开具指南", "谁来开票") in [s.heading_path for s in invoices.sections]
    assert not any("枕溪" in name for s in invoices.sections for name in s.heading_path)
    stays = ingest_paths([docs / "en" / "stays" / "long-stays.pdf"]).documents[0]
    assert "| 90 to 180 nights | 34% | Three times a week | 12 kg per week |" in stays.text.splitlines()
    assert stays.title == "Long Stays"
