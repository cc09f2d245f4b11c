"""``datagen dedup``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_json, read_rows, write_json, write_jsonl

ANSWER = "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息"
ROWS = [
    {"instruction": "几点可以入住？", "input": "", "output": ANSWER},
    {"instruction": "几点可以入住？", "input": "", "output": ANSWER},
    {"instruction": "几点可以入住？", "input": "", "output": f"{ANSWER}。"},
    {"instruction": "Is there a pool?", "input": "", "output": "Yes, on the roof."},
    {"instruction": "Is there a pool?", "input": "", "output": "No, there is none."},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_json(tmp_path / "in.json", ROWS)
    return tmp_path / "in.json"


@pytest.mark.parametrize("engine", ["native", "datasketch"])
def test_json_keys_and_files(source: Path, tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, clusters = tmp_path / "out.jsonl", tmp_path / "clusters.json"
    assert main(["dedup", str(source), "-o", str(out), "--engine", engine, "--clusters", str(clusters), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value.pop("seconds") >= 0
    assert value == {"rows": 5, "kept": 3, "exact_duplicates": 1, "near_duplicates": 1, "clusters": 1, "conflicts": 1}
    assert [row.value for row in read_rows(out)] == [ROWS[0], ROWS[3], ROWS[4]]
    assert read_json(clusters) == [[0, 1, 2]]
    dropped = [(row.value["row"], row.value["reason"], row.value["kept_row"]) for row in read_rows(tmp_path / "out.dropped.jsonl")]
    assert dropped == [(1, "exact_duplicate", 0), (2, "near_duplicate", 0)]


def test_conflicts_are_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dedup", str(source), "-o", str(tmp_path / "out.json")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("5 rows, 3 kept: 1 exact and 1 near duplicates in 1 clusters\n")
    assert "1 prompts are kept with different completions, the first in rows 3, 4" in text


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--threshold", "0"], "threshold must be"),
        (["--engine", "spark"], "spark"),
        (["--by", "score"], "'by' has no meaning"),
        (["--semantic", "word2vec"], "unknown embedder 'word2vec'"),
        (["--semantic-threshold", "0.9"], "needs --semantic"),
    ],
)
def test_wrong_use(source: Path, tmp_path: Path, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dedup", str(source), "-o", str(tmp_path / "out.json"), *extra]) == 2
    assert message in capsys.readouterr().err


def test_the_input_is_never_overwritten(source: Path) -> None:
    before = source.read_bytes()
    assert main(["dedup", str(source), "-o", str(source)]) == 2
    assert source.read_bytes() == before


@pytest.mark.parametrize("more", [["-o", "rows.jsonl"], ["-o", "out.jsonl", "--clusters", "rows.dropped.jsonl"]])
def test_the_input_is_no_file_beside_the_output(tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "rows.dropped.jsonl", ROWS)
    before = (tmp_path / "rows.dropped.jsonl").read_bytes()
    given = [word if word.startswith("-") else str(tmp_path / word) for word in more]
    assert main(["dedup", str(tmp_path / "rows.dropped.jsonl"), *given]) == 2
    assert "rows.dropped.jsonl is the input itself" in capsys.readouterr().err
    assert main(["select", str(tmp_path / "rows.dropped.jsonl"), "-o", str(tmp_path / "rows.jsonl"), "-n", "1"]) == 2
    source = str(tmp_path / "rows.dropped.jsonl")
    assert main(["leak", source, source, "-o", str(tmp_path / "rows.jsonl")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rows.dropped.jsonl"]
    assert (tmp_path / "rows.dropped.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["in.json", "in.jsonl"])
def test_files_of_both_kinds_and_which_row_stays(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**row, "score": score} for row, score in zip(ROWS, (0.1, 0.2, 0.9, 0.5, 0.5), strict=True)]
    (write_json if name == "in.json" else write_jsonl)(tmp_path / name, rows)
    assert main(["dedup", str(tmp_path / name), "-o", str(tmp_path / "out.jsonl"), "--keep", "best", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["rows"], value["kept"], value["conflicts"]) == (5, 3, 1)
    assert [row.value for row in read_rows(tmp_path / "out.jsonl")] == rows[2:]
    reasons = [
        (r.value["row"], r.value["reason"], r.value["kept_row"], r.value["cluster"]) for r in read_rows(tmp_path / "out.dropped.jsonl")
    ]
    assert reasons == [(0, "near_duplicate", 2, 0), (1, "exact_duplicate", 2, 0)]


def test_semantic_pairs_are_listed_and_nothing_is_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [
        "退房时间是中午十二点。",
        "中午十二点是退房时间。",
        "健身房在三楼。",
        "A deluxe room costs 300 a night.",
        "A deluxe room costs 500 a night.",
    ]
    write_jsonl(tmp_path / "in.jsonl", ({"text": text} for text in texts))
    out = tmp_path / "out.jsonl"
    assert main(["dedup", str(tmp_path / "in.jsonl"), "-o", str(out), "--semantic", "tfidf", "--semantic-threshold", "0.6"]) == 0
    shown = capsys.readouterr().out
    assert "2 pairs of kept rows may say the same (nothing is dropped for it)" in shown
    assert "from 0.90: 1 pairs, 1 with other numbers, such as rows 3 and 4 of the kept ones" in shown
    assert [row.value["text"] for row in read_rows(out)] == texts
    queue = [row.value for row in read_rows(tmp_path / "out.semantic.jsonl")]
    assert [(q["first"], q["second"], q["same_numbers"]) for q in queue] == [(3, 4, False), (0, 1, True)]
