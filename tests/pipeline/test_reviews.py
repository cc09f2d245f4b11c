"""Decisions of people: kept through a crash, never overwritten silently, and carried into the next iteration."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.errors import DataError, ReviewConflict, UsageError
from datagen.jsonl import read_appended, read_json, read_rows
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.reviews import NO_REVIEWS, ReviewLog, edited_sample
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.workspace import Workspace

CHECKIN = Sample.of(question_answer("几点可以入住？", "下午两点起可以办理入住。"))
PETS = Sample.of(question_answer("Can I bring my dog?", "Dogs up to 10 kg are welcome for 15 dollars a night."))
POOL = Sample.of(question_answer("泳池几点开放？", "泳池早上六点到晚上十点开放。"))
BETTER_CHECKIN = edited_sample(CHECKIN, question_answer("几点可以入住？", "14:00 起可以办理入住。"))


def test_decisions_are_read_back_by_another_log(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    log.decide(CHECKIN, "edit", seen=0, edited=BETTER_CHECKIN, reviewer="李敏")
    log.decide(PETS, "reject", seen=0, reason="旧价格")
    log.decide(POOL, "accept", seen=0)
    other = ReviewLog(tmp_path)
    assert [d.action for d in other.refresh()] == ["edit", "reject", "accept"]
    assert other.standing() == log.standing()
    assert BETTER_CHECKIN.provenance.parents == (CHECKIN.id,)


def test_the_second_of_two_people_is_told(tmp_path: Path) -> None:
    first, second = ReviewLog(tmp_path), ReviewLog(tmp_path)
    first.decide(PETS, "reject", seen=0, reason="wrong price", reviewer="Ann")
    with pytest.raises(ReviewConflict, match="reject by Ann"):
        second.decide(PETS, "accept", seen=0, reviewer="Bo")
    second.decide(PETS, "accept", seen=second.version(PETS.id), reviewer="Bo")
    assert [line["action"] for line in read_appended(first.path)] == ["reject", "accept"]


def test_undo_gives_the_decision_before(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    with pytest.raises(UsageError, match="no decision"):
        log.decide(PETS, "undo", seen=0)
    log.decide(PETS, "accept", seen=0)
    log.decide(PETS, "reject", seen=1, reason="no source")
    log.decide(PETS, "undo", seen=2)
    decision = log.decision(PETS.id)
    assert decision is not None
    assert (decision.action, log.version(PETS.id)) == ("accept", 3)
    log.decide(PETS, "undo", seen=3)
    assert log.decision(PETS.id) is None
    assert log.snapshot().root == NO_REVIEWS


def test_a_rejection_needs_a_reason_and_an_edit_a_change(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        ReviewLog(tmp_path).decide(PETS, "reject", seen=0, reason="  ")
    with pytest.raises(UsageError, match="changes nothing"):
        edited_sample(PETS, PETS.record)
    assert not (tmp_path / "decisions.jsonl").exists()


def test_a_torn_last_line_is_ignored_and_then_cut_off(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    log.decide(PETS, "accept", seen=0)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'{"sample": "ab')
    fresh = ReviewLog(tmp_path)
    assert len(fresh.refresh()) == 1
    fresh.decide(POOL, "accept", seen=0)
    assert [line["sample"] for line in read_appended(log.path)] == [PETS.id, POOL.id]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    log.decide(PETS, "accept", seen=0)
    log.path.write_bytes(log.path.read_bytes() + b'{"sample": 3}\n')
    with pytest.raises(DataError, match=r"decisions\.jsonl:2: not a decision"):
        ReviewLog(tmp_path).refresh()


def test_what_decisions_do_to_rows(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    log.decide(CHECKIN, "edit", seen=0, edited=BETTER_CHECKIN)
    log.decide(PETS, "reject", seen=0, reason="price is of last year", reviewer="Ann")
    reviews = log.snapshot()
    result = reviews.apply([CHECKIN, PETS, POOL])
    assert list(result.kept) == [BETTER_CHECKIN, POOL]
    assert [(d.sample.id, d.reason, d.detail) for d in result.dropped] == [
        (CHECKIN.id, "edited_in_review", f"replaced by {BETTER_CHECKIN.id[:12]}"),
        (PETS.id, "rejected_in_review", "price is of last year (Ann)"),
    ]
    assert reviews.refuse(PETS) == ("rejected_in_review", "price is of last year (Ann)")
    assert reviews.refuse(POOL) is None
    assert list(reviews.apply([POOL]).kept) == [POOL, BETTER_CHECKIN]

    again = edited_sample(BETTER_CHECKIN, question_answer("几点可以入住？", "14 点起。"))
    log.decide(BETTER_CHECKIN, "edit", seen=0, edited=again)
    assert list(log.snapshot().apply([CHECKIN]).kept) == [again]
    log.decide(BETTER_CHECKIN, "undo", seen=1)
    log.decide(CHECKIN, "undo", seen=1)
    assert list(log.snapshot().apply([BETTER_CHECKIN, POOL]).kept) == [CHECKIN, POOL]


def test_edits_in_a_circle_are_refused(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    back = edited_sample(BETTER_CHECKIN, CHECKIN.record)
    assert back.id == CHECKIN.id
    log.decide(CHECKIN, "edit", seen=0, edited=BETTER_CHECKIN)
    with pytest.raises(UsageError, match="as it was before"):
        log.decide(BETTER_CHECKIN, "edit", seen=0, edited=back)
    assert list(log.snapshot().apply([CHECKIN]).kept) == [BETTER_CHECKIN]


def test_a_restored_near_duplicate_survives_cleaning_but_not_an_exact_one(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    log.decide(PETS, "restore", seen=0)
    reviews = log.snapshot()
    near = StageResult([POOL], [Dropped(PETS, "near_duplicate", "of another")])
    assert list(reviews.protect(near).kept) == [POOL, PETS]
    exact = StageResult([POOL], [Dropped(PETS, "exact_duplicate", "of another")])
    assert reviews.protect(exact) is exact


def _decide_alone(folder: str, name: str) -> None:
    log = ReviewLog(Path(folder))
    for n in range(20):
        log.decide(Sample.of(question_answer(f"{name} {n}", "答案")), "accept", seen=0, reviewer=name)


def test_two_processes_append_without_losing_a_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_decide_alone, args=(str(tmp_path), name)) for name in ("甲", "乙")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(ReviewLog(tmp_path).refresh()) == 40


def test_a_killed_reviewer_loses_no_decision_that_was_acknowledged(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom datagen.pipeline.reviews import ReviewLog\n"
        "from datagen.schemas.record import question_answer\nfrom datagen.schemas.sample import Sample\n"
        "log = ReviewLog(Path(sys.argv[1]))\n"
        "for n in range(100000):\n"
        "    log.decide(Sample.of(question_answer(f'问题 {n}', '答案')), 'accept', seen=0)\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.readline()
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0].split("\n")
    acknowledged = 1 + sum(line.isdigit() for line in rest)
    assert said.strip() == "0"
    assert len(ReviewLog(tmp_path).refresh()) in (acknowledged, acknowledged + 1)


def test_decisions_reach_the_next_iteration_and_then_one_more(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    run = ["-w", str(root), "run", str(recipe), "--docs", str(docs), "--json"]
    assert main([*run, "--set", "sizes=[12]"]) == 0
    workspace = Workspace(root)
    first = _train(workspace, 1)
    log = ReviewLog.of(workspace)
    log.decide(first[0], "reject", seen=0, reason="not useful")
    question = first[1].record.messages[0].content if first[1].record.kind == "conversation" else ""
    better = edited_sample(first[1], question_answer(question, "A person wrote this answer."))
    log.decide(first[1], "edit", seen=0, edited=better)

    assert main(run) == 0
    second = _train(workspace, 2)
    ids = [s.id for s in second]
    assert len(ids) == 24
    assert first[0].id not in ids
    assert first[1].id not in ids
    assert ids[0] == better.id
    assert [s.id for s in first[2:]] == ids[1:11]
    dropped = [r.value for r in read_rows(workspace.iteration(2) / "03-generate" / "dropped.jsonl")]
    assert {d["reason"] for d in dropped if d["sample"]["id"] in (first[0].id, first[1].id)} == {"rejected_in_review", "edited_in_review"}

    log.decide(second[5], "reject", seen=0, reason="不准确")
    capsys.readouterr()
    assert main(run) == 0
    value = json.loads(capsys.readouterr().out)
    assert [i["skipped"] for i in value["iterations"]] == [True, True, False]
    third = _train(workspace, 3)
    assert len(third) == 24
    assert second[5].id not in [s.id for s in third]
    assert (read_ledger(workspace)[2].parent, value["iterations"][2]["manifest"]["size"]) == (2, 24)
    assert main(run) == 0
    assert [i["skipped"] for i in json.loads(capsys.readouterr().out)["iterations"]] == [True, True, True]
    assert list(read_json(root / "data" / "dataset_info.json"))[-2:] == ["small_v3_train", "small_v3_eval"]


def _train(workspace: Workspace, number: int) -> list[Sample]:
    return [Sample.model_validate(r.value) for r in read_rows(workspace.iteration(number) / "train.jsonl")]
