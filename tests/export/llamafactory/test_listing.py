"""Listing a data directory and taking datasets out of it."""

import json
from pathlib import Path

import pytest

from datagen.errors import UsageError
from datagen.export.llamafactory import register
from datagen.export.llamafactory.registry.listing import list_registered, unregister
from datagen.hashing import sha256_hex
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

TRAIN = [Sample.of(question_answer(f"{i}号房几点退房？", "中午12点。")) for i in range(3)]
EVAL = [Sample.of(question_answer("When is breakfast?", "From 7:00."))]
FOREIGN = {"theirs": {"file_name": "theirs.json"}, "hub": {"hf_hub_url": "a/b"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dataset_info.json").write_text(json.dumps(FOREIGN))
    (tmp_path / "theirs.json").write_text('[{"instruction": "q", "input": "", "output": "a"}]')
    register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    return tmp_path


def names(folder: Path) -> list[str]:
    return list(json.loads((folder / "dataset_info.json").read_text()))


def test_lists_every_entry_with_its_state(folder: Path) -> None:
    listed = {each.name: each for each in list_registered(folder)}
    assert {name: each.state for name, each in listed.items()} == {
        "theirs": "foreign", "hub": "remote", "hotel_train": "ok", "hotel_eval": "ok",
    }  # fmt: skip
    assert (listed["hotel_train"].rows, listed["theirs"].rows) == (3, None)
    assert listed["hotel_train"].sha256 == sha256_hex((folder / "hotel_train.json").read_bytes())
    (folder / "hotel_train.json").write_text("[]")
    (folder / "hotel_eval.json").unlink()
    assert [each.state for each in list_registered(folder)][2:] == ["changed", "missing"]
    with pytest.raises(UsageError, match="no such file"):
        list_registered(folder / "nowhere")


def test_takes_out_the_pair_and_keeps_the_rest(folder: Path) -> None:
    done = unregister(folder, "hotel")
    assert done.entries == ("hotel_train", "hotel_eval")
    assert names(folder) == ["theirs", "hub"]
    assert (folder / "hotel_train.json").exists()
    assert [why for _, why in done.left] == ["kept; --delete-files removes it"] * 2


def test_deletes_only_unchanged_files_of_its_own(folder: Path) -> None:
    (folder / "hotel_eval.json").write_text("[]")
    done = unregister(folder, "hotel", delete_files=True)
    assert done.deleted == (folder / "hotel_train.json",)
    assert done.left == ((folder / "hotel_eval.json", "its bytes changed since it was registered"),)


def test_foreign_entries_need_force_and_their_files_stay(folder: Path) -> None:
    with pytest.raises(UsageError, match="not written by datagen"):
        unregister(folder, "theirs", delete_files=True)
    assert unregister(folder, "theirs", delete_files=True, force=True).deleted == ()
    assert (folder / "theirs.json").exists()
    assert names(folder) == ["hub", "hotel_train", "hotel_eval"]
    with pytest.raises(UsageError, match="known: hotel_eval"):
        unregister(folder, "hotle")


def test_never_deletes_outside_the_directory(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "victim.json"
    outside.write_text("[1]")
    info = json.loads((folder / "dataset_info.json").read_text())
    info["evil_train"] = {"file_name": str(outside), "datagen": {"sha256": sha256_hex(b"[1]")}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert unregister(folder, "evil", delete_files=True).left == ((outside, "it lies outside the directory"),)
    assert outside.exists()
