"""Registering: both entries, foreign ones kept, nothing overwritten unasked, nothing LLaMA-Factory would drop."""

import json
import multiprocessing
from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.export.llamafactory import register, validate
from datagen.hashing import sha256_hex
from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, Record, TextRecord, question_answer
from datagen.schemas.sample import Sample

TRAIN = [Sample.of(question_answer(f"{i}号房几点退房？", "中午12点。", persona="你是酒店助手。")) for i in range(4)]
EVAL = [Sample.of(question_answer("When is breakfast?", "From 7:00.", persona="You are a hotel assistant."))]
QUESTION = (Message(role="user", content="q"),)
ANSWER = Message(role="assistant", content="a")


def info(folder: Path) -> dict[str, dict[str, object]]:
    return json.loads((folder / "dataset_info.json").read_text(encoding="ascii"))


def test_writes_full_entries_and_files(tmp_path: Path) -> None:
    done = register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    assert (done.train_entry, done.eval_entry, done.train_rows, done.eval_rows) == ("hotel_train", "hotel_eval", 4, 1)
    entry = info(tmp_path)["hotel_train"]
    columns = {"prompt": "instruction", "query": "input", "response": "output", "history": "history", "system": "system"}
    assert {key: entry[key] for key in ("file_name", "formatting", "ranking", "columns")} == {
        "file_name": "hotel_train.json",
        "formatting": "alpaca",
        "ranking": False,
        "columns": columns,
    }
    metadata = entry["datagen"]
    assert isinstance(metadata, dict)
    assert metadata["sha256"] == sha256_hex((tmp_path / "hotel_train.json").read_bytes()) == done.train_sha256
    assert metadata["rows"] == 4
    assert validate(tmp_path, name="hotel").kept == 5


def test_same_content_again_changes_nothing(tmp_path: Path) -> None:
    register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert register(tmp_path, "hotel", TRAIN, EVAL, replace=False).changed is False
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir() if not p.name.startswith(".")}.items() <= before.items()


def test_other_content_needs_replace(tmp_path: Path) -> None:
    register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    with pytest.raises(UsageError, match="holds other content"):
        register(tmp_path, "hotel", TRAIN[:2], EVAL, replace=False)
    assert register(tmp_path, "hotel", TRAIN[:2], [], replace="own").train_rows == 2
    assert list(info(tmp_path)) == ["hotel_train"]


def test_foreign_entries_keep_content_and_order(tmp_path: Path) -> None:
    foreign = {"zeta": {"hf_hub_url": "a/酒店", "x": 1.0}, "alpha": {"file_name": "a.json", "tags": {"role_tag": "role"}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(foreign, ensure_ascii=False), encoding="utf-8")
    register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    assert list(info(tmp_path)) == ["zeta", "alpha", "hotel_train", "hotel_eval"]
    assert {name: info(tmp_path)[name] for name in foreign} == foreign


def test_foreign_entry_of_that_name_is_refused_unless_replaced(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"hotel_train": {"file_name": "mine.json"}}')
    for replace in (False, "own"):
        with pytest.raises(UsageError, match="was not written by datagen"):
            register(tmp_path, "hotel", TRAIN, EVAL, replace=replace)  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "hotel_train.json").exists()
    assert register(tmp_path, "hotel", TRAIN, EVAL, replace=True).changed


def test_unregistered_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hotel_eval.json").write_text("[]")
    with pytest.raises(UsageError, match="exists but is not registered"):
        register(tmp_path, "hotel", TRAIN, EVAL, replace="own")
    assert not (tmp_path / "dataset_info.json").exists()
    assert not (tmp_path / "hotel_train.json").exists()


@pytest.mark.parametrize("name", ["", "a,b", "a b", " a", "a/b", "..", "a\\b", "a:b", 'a"b', "x" * 101])
def test_bad_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot name a dataset"):
        register(tmp_path, name, TRAIN, EVAL, replace=False)


def test_chinese_name_is_escaped_in_the_index(tmp_path: Path) -> None:
    assert register(tmp_path, "酒店", TRAIN, EVAL, replace=False).train_entry == "酒店_train"
    assert list(info(tmp_path)) == ["酒店_train", "酒店_eval"]


@pytest.mark.parametrize(
    ("content", "message"), [('{"a": {}, "a": {}}', "occurs twice"), ("[]", "expected a JSON object"), ("{", "not valid JSON")]
)
def test_broken_index_is_refused_and_left_alone(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text(content)
    with pytest.raises(DataError, match=message):
        register(tmp_path, "hotel", TRAIN, EVAL, replace=True)
    assert (tmp_path / "dataset_info.json").read_text() == content


def test_rows_that_llamafactory_would_drop_are_refused(tmp_path: Path) -> None:
    turns = (Message(role="user", content="q"), Message(role="user", content="q"), Message(role="assistant", content="a"))
    with pytest.raises(DataError, match=r"hotel_train: LLaMA-Factory would drop or stop on 1 rows: row 2: turn 2 has role 'human'"):
        register(tmp_path, "hotel", [*EVAL, Sample.of(ConversationRecord(messages=turns))], [], replace=False, format="sharegpt")
    assert not list(tmp_path.iterdir())


def test_no_samples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no samples"):
        register(tmp_path, "hotel", [], EVAL, replace=False)


@pytest.mark.parametrize(
    ("record", "format", "stage_ok"),
    [
        (PreferenceRecord(prompt=QUESTION, chosen=ANSWER, rejected=Message(role="assistant", content="b")), "preference", "dpo"),
        (FeedbackRecord(prompt=QUESTION, completion=ANSWER, label=True), "kto", "kto"),
        (TextRecord(text="酒店位于海边。"), "text", "pt"),
    ],
    ids=["preference", "kto", "text"],
)
def test_other_records_get_their_format(record: Record, format: str, stage_ok: str, tmp_path: Path) -> None:
    assert register(tmp_path, "x", [Sample.of(record)], [], replace=False).format == format
    assert validate(tmp_path, name="x", stage=stage_ok).errors == []  # pyright: ignore[reportArgumentType]


def _register_one(folder: Path, number: int) -> None:
    register(folder, f"set{number}", TRAIN, EVAL, replace=False)


def test_processes_at_once_lose_no_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_register_one, args=(tmp_path, i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(info(tmp_path)) == [f"set{i}_{side}" for i in range(3) for side in ("eval", "train")]


def test_a_kill_between_file_and_index_does_not_block_the_same_call(tmp_path: Path) -> None:
    register(tmp_path, "hotel", TRAIN, EVAL, replace=False)
    (tmp_path / "dataset_info.json").write_text("{}", encoding="ascii")
    assert register(tmp_path, "hotel", TRAIN, EVAL, replace="own").changed
    assert list(info(tmp_path)) == ["hotel_train", "hotel_eval"]
    (tmp_path / "dataset_info.json").write_text("{}", encoding="ascii")
    with pytest.raises(UsageError, match="exists but is not registered"):
        register(tmp_path, "hotel", TRAIN[:2], EVAL, replace="own")


def test_train_rows_that_leak_into_eval_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 5 rows of train leak into eval:\n  train row 5 ~ eval row 1: exact, 1.00"):
        register(tmp_path, "hotel", [*TRAIN, *EVAL], EVAL, replace=False)
    assert not (tmp_path / "dataset_info.json").exists()
    assert register(tmp_path, "hotel", [*TRAIN, *EVAL], EVAL, replace=False, allow_leaks=True).train_rows == 5
