import re
from pathlib import Path

from datagen.report.data import ReportData, ShownRow
from datagen.report.html import LONGEST_SHOWN, render_report
from datagen.report.words import WORDS
from datagen.schemas.manifest import DatasetFile, FunnelStep, Manifest

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)> javascript:alert(1) {{ 7 * 7 }}"


def _data(text: str) -> ReportData:
    verdict = {
        "eval_set": "recall",
        "delta": -0.21,
        "low": -0.3,
        "high": -0.12,
        "verdict": "BETTER",
        "baseline_loss": 2.5,
        "new_loss": 2.29,
        "seeds": 3,
        "documents": 40,
        "items": 140,
        "tokens": 2000,
        "look": 1,
        "sentence": {"zh": "更好。", "en": "Better."},
    }
    manifest = Manifest(
        number=1,
        recipe="quickstart",
        recipe_version=1,
        size=100,
        parent=None,
        fingerprint="f" * 64,
        fingerprints={},
        created="2026-11-24T05:00:00+00:00",
        seconds=1.0,
        funnel=(FunnelStep(stage="generate", entered=3, kept=2, dropped={"near_duplicate": 1}),),
        exam={"recall": 140, "unseen": 60, "gold": 0},
        datasets={"train": DatasetFile(path="train.jsonl", rows=2, sha256="0")},
        verdicts=(verdict,),
        primary="recall",
        advice=text,
        train_command="llamafactory-cli train train.yaml",
    )
    row = ShownRow(question=text, answer=text * 200, document=text, evidence=text, stage="generate", reason="near_duplicate", detail=text)
    probe = {
        "curves": [
            {
                "arm": "new",
                "seed": 0,
                "points": [
                    {"step": 1, "train_loss": 3.0, "eval_loss": {"recall": 2.9}},
                    {"step": 2, "train_loss": 2.0, "eval_loss": {"recall": 2.4}},
                ],
            }
        ],
        "answers": [{"question": text, "reference": text, "baseline": text, "new": text}],
    }
    return ReportData(manifest, [manifest], [12, 30], [5, 9], [(text, 2)], [("faq", 2)], [("zh", 2)], [row], [row], probe)


def test_hostile_content_is_shown_as_text_and_long_text_is_clipped() -> None:
    for language in ("zh", "en"):
        page = render_report(_data(HOSTILE), language)
        assert "<script" not in page.lower()
        assert "<img" not in page.lower()
        assert "&lt;script&gt;" in page
        assert "{{ 7 * 7 }}" in page
        assert f"(+{len(HOSTILE) * 200 - LONGEST_SHOWN})" in page
        assert "http://" not in page.replace("http://www.w3.org/", "")


def test_the_page_shows_verdict_interval_pictures_and_words_in_its_language() -> None:
    page = render_report(_data("早餐几点？"), "zh")
    assert "-0.2100 [-0.3000, -0.1200]" in page
    assert page.count("<svg") == 8
    assert "更好。" in page
    assert "下一步" in page


def test_both_languages_have_the_same_words_and_all_are_used(repo: Path) -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    used = re.findall(r"\bw\.(\w+)", (repo / "datagen/report/page.html.j2").read_text(encoding="utf-8"))
    used += re.findall(r'words\["(\w+)"\]', (repo / "datagen/report/html.py").read_text(encoding="utf-8"))
    assert set(WORDS["en"]) == set(used)
