"""What a visitor is told when the disk refuses, in their language."""

import errno
import os
import pickle
import re
from pathlib import Path

import pytest

from datagen.errors import DatagenError, DiskRefused, UsageError
from datagen.jsonl import check_writable, read_text, write_json
from datagen.ui.failing import DISK_REASONS, explained


@pytest.mark.parametrize("code", [*DISK_REASONS, errno.EXDEV], ids=lambda code: errno.errorcode[code])
def test_every_refusal_is_told_in_the_visitor_s_language(code: int) -> None:
    bare = OSError(code, os.strerror(code), "/酒店/quotas.json")
    refused = DiskRefused("cannot write it", errno=code, path="/酒店/quotas.json")
    for error in (bare, refused, pickle.loads(pickle.dumps(refused))):
        told = explained(error, "zh")
        assert "/酒店/quotas.json" in told.message
        assert os.strerror(code) not in told.message
        # A code without words is named: EXDEV.
        assert re.findall(r"[A-Za-z]{2,}", told.message.replace("/酒店/quotas.json", "")) == ([] if code in DISK_REASONS else ["EXDEV"])
        assert "没有保存" in told.hint
        assert explained(error, "en").message.startswith("The disk refused: ")


def test_a_file_that_cannot_be_read_is_told_as_the_disk_s_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_text(tmp_path)
    assert "磁盘拒绝了操作" in explained(raised.value, "zh").message
    missing = UsageError("rows.jsonl: no such file")
    missing.__cause__ = FileNotFoundError(errno.ENOENT, "No such file or directory", "rows.jsonl")
    assert explained(missing, "zh") is missing
    other = DatagenError("the recipe has no strategy")
    assert explained(other, "zh") is other


def test_writing_on_a_read_only_disk_is_one_error_with_path_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("datagen.jsonl.tempfile.mkstemp", refuse)
    with pytest.raises(DiskRefused, match=r"cannot write .*quotas\.json: Read-only file system") as raised:
        write_json(tmp_path / "quotas.json", {})
    assert (raised.value.errno, raised.value.path) == (errno.EROFS, str(tmp_path / "quotas.json"))


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "data" / "not" / "there" / "yet")
    assert not (tmp_path / "data").exists()

    # Root may write anywhere but on a read-only disk.
    def may_not(*_: object) -> bool:
        return False

    monkeypatch.setattr("datagen.jsonl.os.access", may_not)
    with pytest.raises(DiskRefused, match=r"cannot write .*data") as raised:
        check_writable(tmp_path / "data")
    assert raised.value.errno == errno.EACCES
