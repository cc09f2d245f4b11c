from collections.abc import Sequence
from pathlib import Path

import pytest

from datagen.jsonl import write_jsonl
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.schemas.stage import Dropped
from datagen.ui.data.clusters import find_clusters, find_conflicts
from datagen.ui.data.rows import Filter, RowTable, build_table, cached_path, load_table
from datagen.workspace import Workspace


def _row(question: str, answer: str, quote: str = "", document: str = "zh/入住.md", language: str = "zh") -> Sample:
    evidence = (EvidenceSpan(document=document, start=0, end=len(quote), quote=quote),) if quote else ()
    return Sample.of(
        question_answer(question, answer), provenance=Provenance(document=document, evidence=evidence), tags={"language": language}
    )


GROUNDED = _row("几点可以入住？", "下午 2 点起。", "入住：下午 2 点起")
WRONG_NUMBER = _row("退房最晚几点？", "最晚 13 点。", "退房最晚 12 点")
NO_EVIDENCE = _row("有停车场吗？", "有，免费。")
CONFLICT_A = _row("Is breakfast included?", "Yes, for two.", "Breakfast for two", "en/rooms.md", "en")
CONFLICT_B = _row("is breakfast  included?", "No.", "No breakfast", "en/rooms.md", "en")
MIXED = _row("宠物可以入住吗？", "Dogs are welcome.", "Dogs are welcome")
UNFILLED = _row("怎么联系你们？", "请联系{{客服姓名}}，邮箱 zhangwei1987@163.com。", "请联系客服")
NEAR = _row("请问几点可以入住？", "下午 2 点起。", "入住：下午 2 点起")


@pytest.fixture
def table(tmp_path: Path) -> RowTable:
    workspace = Workspace(tmp_path)
    folder = workspace.iteration(1)
    rows = (GROUNDED, WRONG_NUMBER, NO_EVIDENCE, CONFLICT_A, CONFLICT_B, MIXED, UNFILLED)
    write_jsonl(folder / "train.jsonl", [s.to_json() for s in rows])
    dropped = Dropped(NEAR, "near_duplicate", f"of {GROUNDED.id[:12]}, similarity 0.83, cluster 0")
    write_jsonl(folder / "04-clean" / "dropped.jsonl", [dropped.to_json()])
    build_table(workspace, 1)
    loaded = load_table(workspace, 1)
    assert loaded is not None
    return loaded


def _undecided(ids: Sequence[str]) -> list[str]:
    return [""] * len(ids)


def _found(table: RowTable, wanted: Filter) -> list[str]:
    return [table.sample(r).id for r in table.select(wanted, _undecided)]


def test_the_most_suspicious_come_first_and_dropped_rows_only_when_asked_for(table: RowTable) -> None:
    assert _found(table, Filter(status="open")) == [
        s.id for s in (UNFILLED, WRONG_NUMBER, CONFLICT_A, CONFLICT_B, NO_EVIDENCE, MIXED, GROUNDED)
    ]
    assert _found(table, Filter(status="dropped")) == [NEAR.id]
    flags = {table.summary(r)["id"]: table.summary(r)["flags"] for r in range(len(table))}
    assert flags[WRONG_NUMBER.id] == "number_not_in_evidence"
    assert flags[NO_EVIDENCE.id] == "no_evidence"
    assert flags[MIXED.id] == "language_differs"
    assert flags[UNFILLED.id] == "number_not_in_evidence placeholder_leftover pii_email"
    assert flags[GROUNDED.id] == ""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(text="退房"), [WRONG_NUMBER]),
        (Filter(text="BREAKFAST"), [CONFLICT_A, CONFLICT_B]),
        (Filter(text="rooms.md", language="zh"), []),
        (Filter(flag="conflict"), [CONFLICT_A, CONFLICT_B]),
        (Filter(document="en/rooms.md", order="length"), [CONFLICT_A, CONFLICT_B]),
        (Filter(text="入住", order="position"), [GROUNDED, WRONG_NUMBER, NO_EVIDENCE, MIXED, UNFILLED]),
        (Filter(text=".*("), []),
    ],
    ids=["zh", "any-case", "both", "flag", "document", "position", "no-pattern"],
)
def test_filters(table: RowTable, wanted: Filter, expected: list[Sample]) -> None:
    assert _found(table, wanted) == [s.id for s in expected]


def test_decided_rows_leave_the_open_queue(table: RowTable) -> None:
    def statuses(ids: Sequence[str]) -> list[str]:
        return ["reject" if i == WRONG_NUMBER.id else "" for i in ids]

    open_rows = [table.sample(r).id for r in table.select(Filter(status="open"), statuses)]
    assert WRONG_NUMBER.id not in open_rows
    assert [table.sample(r).id for r in table.select(Filter(status="reject"), statuses)] == [WRONG_NUMBER.id]


def test_duplicates_and_conflicts_are_found(table: RowTable) -> None:
    (cluster,) = find_clusters(table)
    assert cluster.kept is not None
    assert table.sample(cluster.kept).id == GROUNDED.id
    assert [table.sample(r).id for r in cluster.dropped] == [NEAR.id]
    assert cluster.similarity == (0.83,)
    assert [[table.sample(r).id for r in rows] for rows in find_conflicts(table)] == [[CONFLICT_A.id, CONFLICT_B.id]]


def test_a_table_is_used_again_until_its_files_change(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    path = workspace.iteration(1) / "train.jsonl"
    write_jsonl(path, [GROUNDED.to_json()])
    assert load_table(workspace, 1) is None
    build_table(workspace, 1)
    first = cached_path(workspace, 1)
    assert load_table(workspace, 1) is not None
    write_jsonl(path, [GROUNDED.to_json(), MIXED.to_json()])
    assert load_table(workspace, 1) is None
    assert len(build_table(workspace, 1)) == 2
    assert not first.exists()
