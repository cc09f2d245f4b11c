from pathlib import Path

import pytest

from datagen.errors import UsageError
from datagen.ui.data.uploads import LARGEST_MB, document_folders, documents_in, safe_name, store_upload


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("取消政策.md", "取消政策.md"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\temp\\rules.HTML", "rules.HTML"),
        ("...hidden.md", "hidden.md"),
        ("a\x00b\u202e.txt", "ab.txt"),
    ],
)
def test_only_the_file_name_is_left(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["run.sh", "md", ".md", "../", "", "page.html.exe"])
def test_other_files_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a document"):
        safe_name(name)


def test_a_long_name_is_cut_to_what_a_disk_takes(tmp_path: Path) -> None:
    assert store_upload(tmp_path, f"{'长' * 300}.md", b"x").name.endswith("长.md")


def test_nothing_is_replaced(tmp_path: Path) -> None:
    assert store_upload(tmp_path, "a.md", b"one").name == "a.md"
    assert store_upload(tmp_path, "a.md", b"one").name == "a.md"
    assert store_upload(tmp_path, "a.md", b"two").name == "a-2.md"
    assert (tmp_path / "a.md").read_bytes() == b"one"


def test_a_link_in_docs_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_bytes(b"secret")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").symlink_to(outside)
    assert store_upload(docs, "a.md", b"mine").name == "a-2.md"
    assert outside.read_bytes() == b"secret"


def test_large_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than"):
        store_upload(tmp_path, "a.md", b"x" * ((LARGEST_MB << 20) + 1))
    assert list(tmp_path.iterdir()) == []


def test_only_documents_are_counted(tmp_path: Path) -> None:
    for name in ("a.md", "b.PDF", ".DS_Store", "photo.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert sorted(path.name for path in documents_in(tmp_path)) == ["a.md", "b.PDF"]


def test_folders_with_documents_are_offered(tmp_path: Path) -> None:
    for name in ("docs", "policies", "data", ".datagen", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "a.md").write_text("x")
    (tmp_path / "data" / "a.txt").write_text("x")
    assert document_folders(tmp_path, Path("/given")) == [Path("/given"), tmp_path / "docs", tmp_path / "policies"]
