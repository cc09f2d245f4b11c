"""The audit page: hostile rows are text, everything is in the page's language, nothing is loaded."""

import io
import re
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from datagen.ingest.sections import find_sections
from datagen.report.audit import view
from datagen.report.audit.page import LONGEST_SHOWN, render_page
from datagen.report.audit.terminal import audit_tables
from datagen.report.audit.words import CODES, WORDS
from datagen.schemas.document import Document, Language
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score import AuditResult, audit
from datagen.score.coverage.facts import Kind
from datagen.score.defects import SCORERS
from datagen.score.result import DROPPED_BY_DEFAULT, State

HOSTILE = "[/b]<script>alert('x')</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) {{ 7 * 7 }} \u202e\x07"
TEXT = f"# 退房 {HOSTILE}\n\n退房时间为中午12点。\n\n## 早餐\n\n早餐七点开始，每位68元。{HOSTILE}\n"


@pytest.fixture(scope="module")
def result() -> AuditResult:
    document = Document(
        path=f"{HOSTILE}.md", sha256="0" * 64, media_type="md", language="zh", title="退房", text=TEXT, sections=tuple(find_sections(TEXT))
    )
    rows = [
        Sample.of(question_answer("退房时间是几点？", "退房时间为中午12点。")),
        Sample.of(question_answer("退房时间是几点？", "退房时间为中午12点。")),
        Sample.of(question_answer("退房时间是几点？", f"下午两点。{HOSTILE}")),
        Sample.of(question_answer(HOSTILE, HOSTILE * 40), tags={"question_type": HOSTILE}),
        Sample.of(question_answer("一兆字节的一行", "长" * 1_000_000)),
        Sample.of(question_answer("邮箱？", "请写信给 zhang.wei@corp.cn <b>")),
        *(Sample.of(question_answer(f"第{i}间客房的价格是多少？", f"每晚{i}88元，含早餐{i}份。")) for i in range(12)),
    ]
    return audit(rows, docs=[document], against=rows[:1])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_content_is_text_and_long_content_is_clipped(result: AuditResult, language: Language) -> None:
    page = render_page(result, language)
    lowered = page.lower()
    assert "<script" not in lowered
    assert "<img" not in lowered
    assert 'href="javascript' not in lowered
    assert "&lt;script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert f"(+{1_000_000 - LONGEST_SHOWN})" in page
    assert len(page) < 400_000
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "https://" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_the_page_shows_each_part_in_its_language(result: AuditResult) -> None:
    zh, en = render_page(result, "zh"), render_page(result, "en")
    assert "需要处理" in zh
    assert "<mark>早餐七点开始，每位68元。" in zh
    assert "Marked text is said by no row" in en
    for page in (zh, en):
        assert page.count("<svg") == 7
        for anchor in ("rows", "text", "duplicates", "coverage", "grounding", "diversity", "balance", "leakage", "size"):
            assert f'id="{anchor}"' in page


def test_the_funnel_counts_every_row_once(result: AuditResult) -> None:
    steps = view.funnel(result)
    assert [(s.code, s.rows, s.left) for s in steps] == [("exact_duplicate", 1, 17), ("leak", 2, 15)]
    assert steps[-1].left == result.kept


def test_the_tables_for_a_terminal_show_data_as_text(result: AuditResult) -> None:
    out = Console(file=io.StringIO(), width=400)
    out.print(audit_tables(result))
    assert isinstance(out.file, io.StringIO)
    assert "[/b]<script>" in out.file.getvalue()


def test_every_word_is_used(repo: Path, result: AuditResult) -> None:
    source = (repo / "datagen/report/audit/page.html.j2").read_text(encoding="utf-8")
    used = set(re.findall(r"\bw\.(\w+)", source))
    used |= {f"state_{s}" for s in get_args(State)} | {f"area_{a.name}" for a in result.areas} | {"prompt_axis", "completion_axis"}
    assert set(WORDS["en"]) == used | set(get_args(Kind)) | {"documents", "sections", "chunks", "types", "languages", "styles", "datasets"}


def test_words_and_codes_are_complete_in_both_languages() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    flagged = {s.name for s in SCORERS if s.limit is not None}
    assert flagged | set(DROPPED_BY_DEFAULT) | {"conflicting_answers", "evidence_not_found", "unsupported_number", "off_topic"} == set(
        CODES
    )
    assert all(set(texts) == {"zh", "en"} for texts in CODES.values())
