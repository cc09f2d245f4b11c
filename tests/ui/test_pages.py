"""The pages with NiceGUI's simulated user: what is shown, and what a decision writes."""

import asyncio
import errno
import importlib
import os
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from nicegui import ui

from datagen.jsonl import read_appended, read_json, read_rows, write_json, write_jsonl
from datagen.pipeline.reviews import ReviewLog
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped
from datagen.ui.data.coverage import read_coverage
from datagen.ui.data.jobs import runs_folder
from datagen.ui.data.rows import Filter, build_table
from datagen.ui.desk import Desk
from datagen.ui.frame import shown_path
from datagen.workspace import Workspace

Play = Callable[[Workspace, Any], None]


def _train_ids(workspace: Workspace) -> set[str]:
    return {r.value["id"] for r in read_rows(workspace.iteration(1) / "train.jsonl")}


def test_overview_shows_verdicts_and_the_next_commands(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/")
        await user.should_see("What to do next")
        await user.should_see("Review 24 rows")
        await user.should_see(f"datagen -w {shown_path(workspace.root)} next")
        await user.should_see("Answers before and after")
        # The workspace is a copy: the command that its manifest holds names the original.
        await user.should_see(f"llamafactory-cli train '{workspace.iteration(1) / 'train.yaml'}' dataset_dir='{workspace.data_dir}'")

    simulate(workspace, scenario)


def test_every_page_says_where_to_begin_in_an_empty_workspace(tmp_path: Any, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        for path in ("/", "/review", "/coverage", "/duplicates", "/compare", "/export"):
            await user.open(path)
            await user.should_see("There is no finished iteration yet")
        await user.open("/run")
        await user.should_see("Upload documents")

    root = tmp_path / "empty"
    root.mkdir()
    simulate(Workspace(root), scenario)


def test_accept_is_stored_at_once_and_undone(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/review")
        await user.should_see("24 of ")
        user.find(marker="accept").click()
        log = ReviewLog.of(workspace)
        assert [d.action for d in log.standing().values()] == ["accept"]
        assert set(log.standing()) <= _train_ids(workspace)
        user.find(marker="undo").click()
        await user.should_see("Undone")
        assert ReviewLog.of(workspace).standing() == {}

    simulate(workspace, scenario)
    assert [line["action"] for line in read_appended(workspace.reviews / "decisions.jsonl")] == ["accept", "undo"]


def test_search_and_filter_narrow_the_queue(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/review?q=溪豆")
        label = next(iter(user.find(marker="count").elements)).default_slot.children[0]
        assert isinstance(label, ui.label)
        shown = int(label.text.split()[0])
        matching = sum("溪豆" in str(r.value) for r in read_rows(workspace.iteration(1) / "train.jsonl"))
        assert 0 < shown <= matching
        await user.open("/review?q=no-such-words-anywhere")
        await user.should_see("No row matches.")

    simulate(workspace, scenario)


def test_somebody_else_s_decision_is_shown_before_it_is_overwritten(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/review")
        elsewhere = ReviewLog.of(workspace)
        table = build_table(workspace, 1)
        first = table.sample(table.select(Filter(status="open"), undecided)[0])
        elsewhere.decide(first, "reject", seen=0, reason="wrong price", reviewer="Ann")
        user.find(marker="accept").click()
        await user.should_see("Somebody decided on this row meanwhile")
        standing = ReviewLog.of(workspace).standing()[first.id]
        assert (standing.action, standing.reviewer) == ("reject", "Ann")

    simulate(workspace, scenario)


def test_votes_give_a_win_rate(workspace: Workspace, simulate: Play) -> None:
    path = workspace.iteration(1) / "probe" / "result.json"
    result = read_json(path)
    for n, answer in enumerate(result["answers"]):
        answer |= {"baseline": f"我不知道 {n}", "new": f"{n} 晚以上可享延迟退房"}
    write_json(path, result)

    async def scenario(user: Any) -> None:
        await user.open("/compare")
        await user.should_see(marker="vote-left")
        for _ in range(3):
            if not user.find(marker="vote-left").elements:
                break
            user.find(marker="vote-left").click()
        await user.should_see("All pairs are voted on.")
        await user.should_see(marker="win-rate")

    simulate(workspace, scenario)


def test_register_writes_the_reviewed_rows(workspace: Workspace, simulate: Play) -> None:
    rejected = next(iter(_train_ids(workspace)))
    log = ReviewLog.of(workspace)
    table_sample = next(r for r in read_rows(workspace.iteration(1) / "train.jsonl") if r.value["id"] == rejected)
    log.decide(Sample.model_validate(table_sample.value), "reject", seen=0, reason="outdated")

    async def scenario(user: Any) -> None:
        await user.open("/export")
        await user.should_see("Your decisions on these rows are applied: 23 rows.")
        user.find(marker="register").click()
        await user.should_see("Registered: small_v1_reviewed_train (23 rows)")

    simulate(workspace, scenario)
    assert len(list(read_rows(workspace.data_dir / "small_v1_reviewed_train.json"))) == 23
    assert "small_v1_reviewed_train" in (workspace.data_dir / "small_v1_reviewed.train.yaml").read_text("utf-8")


@pytest.mark.parametrize(("language", "told"), [("en", "The disk refused: it is read-only"), ("zh", "磁盘拒绝了操作：文件系统为只读")])
def test_register_on_a_read_only_disk_says_so_and_may_be_tried_again(
    workspace: Workspace, simulate: Play, monkeypatch: pytest.MonkeyPatch, language: str, told: str
) -> None:
    """Root, which runs the tests, may write into any folder but on a read-only disk; so the system's own call fails here."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    async def scenario(user: Any) -> None:
        user.http_client.cookies.set("datagen_lang", language)
        await user.open("/export")
        await user.should_see(marker="fates")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("datagen.jsonl.tempfile.mkstemp", refuse)
            name = next(iter(user.find(marker="name").elements))
            name.value = "anew"
            user.find(marker="register").click()
            await user.should_see(told)
        await user.should_not_see(marker="registered")
        user.find(marker="register").click()
        await user.should_see("anew_train")

    simulate(workspace, scenario)


PATIENT = {
    "/review": "datagen.ui.desk.build_table",
    "/coverage": "datagen.ui.desk.read_coverage",
    "/duplicates": "datagen.ui.pages.duplicates.find_clusters",
    "/compare": "datagen.ui.pages.compare.find_adapters",
    "/export": "datagen.ui.pages.export.count_reviewed",
}


@pytest.mark.parametrize("path", PATIENT)
def test_long_reading_holds_nobody_up_and_is_told(workspace: Workspace, simulate: Play, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    module, _, name = PATIENT[path].rpartition(".")
    real: Callable[..., object] = getattr(importlib.import_module(module), name)
    busy = threading.Event()

    def slow(*args: Any) -> object:
        busy.set()
        time.sleep(1.0)
        busy.clear()
        return real(*args)

    monkeypatch.setattr(PATIENT[path], slow)

    async def scenario(user: Any) -> None:
        opening = asyncio.create_task(user.open(path))
        longest, beats, before = 0.0, 0, time.monotonic()
        while not (opening.done() and beats and not busy.is_set()):
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, before, beats = max(longest, now - before), now, beats + busy.is_set()
            if path != "/review" and busy.is_set() and opening.done():
                await user.should_see("Reading …", retries=1)
        await opening
        await user.should_not_see("Reading …", retries=100)
        assert beats > 20, "others go on while the page reads"
        assert longest < 0.8, "one second of work in the server's own loop would be seen"

    simulate(workspace, scenario)


def test_a_page_left_while_it_reads_is_no_defect(
    workspace: Workspace, simulate: Play, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def slow(*_: object) -> object:
        time.sleep(0.5)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("datagen.ui.pages.export.find", slow)

    async def scenario(user: Any) -> None:
        await user.open("/export")
        await user.should_see(marker="register")
        client = user.client
        assert client is not None
        client.delete()
        await asyncio.sleep(1.0)

    simulate(workspace, scenario)
    assert "list.remove" not in caplog.text
    assert "Traceback" not in caplog.text


def test_documents_are_shaded_by_urgency_and_barred_by_coverage(workspace: Workspace, simulate: Play) -> None:
    shown: dict[str, tuple[str, str]] = {}

    async def scenario(user: Any) -> None:
        await user.open("/coverage")
        await user.should_see("Generate here")
        for leaf in user.find(marker="leaf").elements:
            bar = [e for e in leaf.descendants() if "width" in e.style][-1]
            shown[parse_qs(urlsplit(leaf.props["href"]).query)["document"][0]] = (leaf.style["background"], bar.style["width"])

    simulate(workspace, scenario)
    found = {p.slice: p for p in read_coverage(workspace, 1).ranked}
    most = max(p.score for p in found.values())
    assert shown == {
        document: (f"color-mix(in srgb, var(--bad) {40 * p.score / most:.0f}%, transparent)", f"{100 * p.coverage:.0f}%")
        for document, p in found.items()
    }
    assert "40%" in shown[max(found.values(), key=lambda p: p.score).slice][0]


def test_generate_here_writes_the_quota_and_the_run_page_offers_it(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/coverage")
        await user.should_see("Generate here")
        user.find(marker="generate-here").click()
        await user.should_see("Quotas of the next run")
        setting = f"generate.quotas=@{workspace.root / 'quotas.json'}"
        await user.should_see(f"run RECIPE --set {shlex.quote(setting)}")
        await user.open("/run")
        await user.should_see(setting)

    simulate(workspace, scenario)
    ((document, wanted),) = read_json(workspace.root / "quotas.json").items()
    assert (workspace.root / "docs" / document).is_file()
    assert wanted >= 1


def test_a_dropped_duplicate_is_kept_and_a_conflict_is_resolved(workspace: Workspace, simulate: Play) -> None:
    path = workspace.iteration(1) / "train.jsonl"
    rows = [Sample.model_validate(r.value) for r in read_rows(path)]
    yes, no = (Sample.of(question_answer("早餐含在房价里吗？", answer)) for answer in ("含。", "不含，另付 38 元。"))
    near = Sample.of(question_answer("请问早餐含在房价里吗？", "含。"))
    write_jsonl(path, [s.to_json() for s in (*rows, yes, no)])
    dropped = Dropped(near, "near_duplicate", f"of {yes.id[:12]}, similarity 0.80, cluster 0")
    write_jsonl(workspace.iteration(1) / "04-clean" / "dropped.jsonl", [dropped.to_json()])

    async def scenario(user: Any) -> None:
        await user.open("/duplicates")
        await user.should_see("Conflicts: same question, different answers (1)")
        await user.should_see("Dropped · similarity 0.80")
        user.find(marker="keep-both").click()
        user.find(marker=f"keep-{yes.id[:8]}").click()
        await user.should_see("Saved")

    simulate(workspace, scenario)
    standing = ReviewLog.of(workspace).standing()
    assert standing[near.id].action == "restore"
    assert (standing[yes.id].action, standing[no.id].action) == ("accept", "reject")
    kept = [s.id for s in ReviewLog.of(workspace).snapshot().apply([*rows, yes, no]).kept]
    assert kept == [*(s.id for s in rows), yes.id, near.id]


def test_every_conflict_can_be_reached(workspace: Workspace, simulate: Play) -> None:
    path = workspace.iteration(1) / "train.jsonl"
    pairs = [Sample.of(question_answer(f"{n} 号房含早餐吗？", answer)) for n in range(21) for answer in ("含。", "不含。")]
    write_jsonl(path, [*(r.value for r in read_rows(path)), *(s.to_json() for s in pairs)])

    async def scenario(user: Any) -> None:
        await user.open("/duplicates")
        await user.should_see("Conflicts: same question, different answers (21)")
        await user.should_not_see("20 号房含早餐吗？")
        await user.open("/duplicates?page=1")
        await user.should_see("20 号房含早餐吗？")

    simulate(workspace, scenario)


def test_grow_carries_its_sizes_to_the_run_page_and_nothing_else_gets_in(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/run?recipe=small&sizes=24,48")
        await user.should_see("sizes=[24, 48]")
        await user.open("/run?recipe=evil&sizes=24],generate.client=x")
        (settings,) = user.find(marker="settings").elements
        assert settings.value == ""

    simulate(workspace, scenario)


def test_undo_leaves_what_somebody_else_decided_later(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        await user.open("/review")
        user.find(marker="accept").click()
        ((sample_id, mine),) = ReviewLog.of(workspace).standing().items()
        sample = next(
            Sample.model_validate(r.value) for r in read_rows(workspace.iteration(1) / "train.jsonl") if r.value["id"] == sample_id
        )
        ReviewLog.of(workspace).decide(sample, "reject", seen=mine.version, reason="outdated", reviewer="Ann")
        user.find(marker="undo").click()
        await user.should_see("Somebody decided on this row meanwhile")
        assert ReviewLog.of(workspace).standing()[sample_id].action == "reject"

    simulate(workspace, scenario)


def test_a_broken_row_is_one_clear_message(workspace: Workspace, simulate: Play) -> None:
    path = workspace.iteration(1) / "train.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "torn')

    async def scenario(user: Any) -> None:
        await user.open("/review")
        await user.should_see("train.jsonl:25: not valid JSON")

    simulate(workspace, scenario)


def test_damaged_losses_and_rows_without_documents_are_told(workspace: Workspace, simulate: Play) -> None:
    path = workspace.iteration(1) / "train.jsonl"
    write_jsonl(path, [Sample.of(question_answer("\u202e早餐几点？😀", "含。" * 30_000)).to_json()])
    (workspace.iteration(1) / "probe" / "losses.parquet").write_bytes(b"PAR1")
    (workspace.iteration(1) / "01-ingest" / "kept.jsonl").write_bytes(b"")

    async def scenario(user: Any) -> None:
        await user.open("/compare")
        await user.should_see("losses.parquet: not a parquet file")
        (workspace.iteration(1) / "probe" / "losses.parquet").unlink()
        await user.open("/coverage")
        await user.should_see("name no document")
        await user.open("/review")
        user.find(marker="edit").click()
        await user.should_see("cannot be edited here")

    simulate(workspace, scenario)


def undecided(ids: Sequence[str]) -> list[str]:
    return [""] * len(ids)


def test_the_stop_button_stays_the_same_while_a_run_makes_progress(workspace: Workspace, simulate: Play) -> None:
    """A click on a button that is replaced between press and release is lost."""
    folder = runs_folder(workspace) / "0001"
    write_json(folder / "job.json", {"command": ["datagen"], "pid": os.getpid(), "started": psutil.Process().create_time()})
    progress = folder / "progress.jsonl"
    progress.write_text('{"time": 100.0, "iteration": 1, "stage": "generate"}\n', encoding="utf-8")

    async def scenario(user: Any) -> None:
        await user.open("/run")
        await user.should_see(marker="stop")
        before = {element.id for element in user.find(marker="stop").elements}
        assert len(before) == 1
        with progress.open("a", encoding="utf-8") as file:
            file.write('{"time": 110.0, "done": 40, "total": 100, "note": "yield 80%"}\n')
        await user.should_see("40/100", retries=40)
        assert {element.id for element in user.find(marker="stop").elements} == before

    simulate(workspace, scenario)


def test_what_a_run_has_cost_and_will_cost_is_shown_while_it_goes_on(
    workspace: Workspace, simulate: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = runs_folder(workspace) / "0001"
    process = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    write_json(folder / "job.json", {"command": ["datagen"], **process, "spent_before": 1.0})
    price = {"purpose": "train", "target": 100, "cost_usd": 0.8, "cost_most_usd": 2.0, "price_known": True, "free": False}
    write_json(folder / "plan.json", {"sizes": [100], "prices": [price]})
    progress = folder / "progress.jsonl"
    progress.write_text('{"time": 100.0, "iteration": 1, "stage": "generate"}\n', encoding="utf-8")
    paid = [1.0]

    def spent_so_far(_: Workspace) -> float:
        return paid[0]

    monkeypatch.setattr("datagen.ui.data.jobs.spent_so_far", spent_so_far)

    async def scenario(user: Any) -> None:
        await user.open("/run")
        await user.should_see("Spent $0.0000; about $0.8000 for the whole run, at most $2.0000 by its plan.")
        paid[0] = 1.25
        with progress.open("a", encoding="utf-8") as file:
            file.write('{"time": 125.0, "done": 25, "total": 100, "note": "yield 80%"}\n')
        await user.should_see("Spent $0.2500; about $0.8500 for the whole run, at most $2.0000 by its plan.")
        await user.should_see("1.0/s · about 1 min 15 s left in this stage")

    simulate(workspace, scenario)


def test_a_defect_is_one_sentence_in_the_page_and_a_traceback_in_the_log(workspace: Workspace, simulate: Play, caplog: Any) -> None:
    def broken(self: object) -> object:
        raise ZeroDivisionError("secret detail")

    async def scenario(user: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("datagen.ui.desk.Desk.ledger", broken)
            await user.open("/")
            await user.should_see("Something failed here that should not (ZeroDivisionError).")
            await user.should_see("Load the page again")
            await user.should_not_see("secret detail")
        assert "ZeroDivisionError: secret detail" in caplog.text
        caplog.clear()
        await user.open("/")
        await user.should_see("What to do next")

    simulate(workspace, scenario)


def test_an_address_that_is_no_page_and_a_failure_outside_any_page_are_told(workspace: Workspace, simulate: Play) -> None:
    async def scenario(user: Any) -> None:
        unknown = await user.http_client.get("/nowhere", headers={"accept": "text/html", "accept-language": "zh"})
        assert unknown.status_code == 404
        assert "没有这个页面" in unknown.text
        assert (await user.http_client.get("/report/99", headers={"accept": "*/*"})).status_code == 404

    simulate(workspace, scenario)


def test_a_decision_that_the_disk_refuses_is_told_and_not_shown_as_made(workspace: Workspace, simulate: Play) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "decisions.jsonl")

    async def scenario(user: Any) -> None:
        await user.open("/review")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("datagen.pipeline.reviews.append_row", refuse)
            user.find(marker="accept").click()
            await user.should_see("The disk refused: it is read-only (decisions.jsonl)")
        assert ReviewLog.of(workspace).standing() == {}

    simulate(workspace, scenario)


def test_grow_names_the_documents_the_page_was_given_and_paths_as_they_are_typed(
    workspace: Workspace, simulate: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(workspace.root.parent))
    (elsewhere := workspace.root.parent / "my docs").mkdir()

    class Given(Desk):
        def __post_init__(self) -> None:
            self.docs = elsewhere
            super().__post_init__()

    monkeypatch.setattr("datagen.ui.desk.Desk", Given)

    async def scenario(user: Any) -> None:
        await user.open("/")
        await user.should_see("datagen -w ~/'酒店' run small --docs ~/'my docs' --set 'sizes=[24, 48]'")

    simulate(workspace, scenario)
