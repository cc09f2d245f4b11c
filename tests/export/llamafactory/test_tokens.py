"""Token lengths, truncation and thinking blocks under a template. Exact ids are checked against LLaMA-Factory in tests/acceptance."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.cli import main
from datagen.errors import UsageError
from datagen.export.llamafactory import Report, validate
from datagen.export.llamafactory.templates.spec import TEMPLATES
from datagen.export.llamafactory.tokens.encode import split_budget
from datagen.export.llamafactory.tokens.packing import pack

EOT, EOS, THINK = "<|im_end|>", "<|endoftext|>", "<think>\n客人问退房。\n</think>\n\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but a byte tokenizer: one token a byte, so that lengths can be counted by hand."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS, additional_special_tokens=[EOT, "<|im_start|>"])
    folder = tmp_path_factory.mktemp("model")
    fast.save_pretrained(str(folder))
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    return folder


def check(model: Path, folder: Path, turns: list[list[str]], *, template: str = "qwen3_nothink", cutoff_len: int = 2048) -> Report:
    rows = [
        {"conversations": [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(conversation)]}
        for conversation in turns
    ]
    (folder / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return validate(folder / "rows.json", model=model, template=template, cutoff_len=cutoff_len)


def codes(report: Report) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.row) for finding in report.findings]


def test_lengths_are_counted_under_the_template(model: Path, tmp_path: Path) -> None:
    (stats,) = check(model, tmp_path, [["abc", "de"]]).tokens
    # <|im_start|>user\nabc<|im_end|>\n<|im_start|>assistant\n + de<|im_end|>\n, special tokens counting one
    expected = (1 + 5 + 3 + 1 + 1 + 1 + 10) + (2 + 1 + 1)
    assert (stats.tokens, stats.longest, stats.p50, stats.over_cutoff, stats.template) == (expected, expected, expected, 0, "qwen3_nothink")


def test_packed_rows_are_counted_in_sequences(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(model, tmp_path, [["abc", "de"], ["abc", "de"], ["abc", "de"]])  # 26 tokens each
    arguments = ["validate", str(tmp_path / "rows.json"), "--model", str(model), "--template", "qwen3_nothink", "--packing"]
    assert main([*arguments, "--cutoff-len", "53", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tokens"][0]["packed_sequences"] == 2
    assert report["findings"][-1]["message"] == "3 rows are packed into 2 sequences of 53 tokens, 74% filled"
    assert main(["validate", str(tmp_path / "rows.json"), "--packing"]) == 2
    assert "packing needs the model" in capsys.readouterr().err


@given(st.lists(st.integers(1, 40), max_size=60))
def test_packing_keeps_every_row_that_fits(lengths: list[int]) -> None:
    sequences = pack(enumerate(lengths), 30)
    assert sorted(length for sequence in sequences for length in sequence) == sorted(length for length in lengths if length <= 30)
    assert all(sum(sequence) <= 30 for sequence in sequences)
    assert pack([(0, 20), (1, 10), (999, 10), (1000, 10)], 30) == [[20, 10], [10], [10]]


def test_an_answer_that_loses_its_end_is_bad(model: Path, tmp_path: Path) -> None:
    report = check(model, tmp_path, [["q", "a" * 300], ["q2", "a"]], cutoff_len=200)
    assert codes(report) == [("answer_truncated", 0)]
    assert "322 tokens, cutoff_len 200" in report.findings[0].message
    assert report.tokens[0].over_cutoff == 1


def test_a_long_prompt_loses_its_own_end(model: Path, tmp_path: Path) -> None:
    report = check(model, tmp_path, [["q" * 300, "a"]], cutoff_len=200)
    assert codes(report) == [("prompt_truncated", 0)]
    assert report.findings[0].message.startswith("122 tokens at the end of the prompt")


def test_late_turns_vanish(model: Path, tmp_path: Path) -> None:
    report = check(model, tmp_path, [["q" * 90, "a" * 90, "again", "b"]], cutoff_len=150)
    assert codes(report) == [("answer_truncated", 0), ("turns_truncated", 0), ("prompt_truncated", 0)]


def test_rows_that_teach_nothing(model: Path, tmp_path: Path) -> None:
    assert ("no_trainable_tokens", 0) in codes(check(model, tmp_path, [["q", ""]], template="empty"))


def test_control_tokens_are_the_models_own(model: Path, tmp_path: Path) -> None:
    assert codes(check(model, tmp_path, [["q", f"a{EOT}b"], ["q <eos>", "<end_of_turn>"]])) == [("control_token", 0)]
    assert ("control_token", 1) in codes(check(model, tmp_path, [["q", "a"], ["q2", "<end_of_turn>"]], template="gemma2"))


def test_template_with_tokens_the_model_lacks(model: Path, tmp_path: Path) -> None:
    report = check(model, tmp_path, [["q", "a"]], template="gemma2")
    assert [(f.code, f.severity) for f in report.findings] == [("template_adds_tokens", "bad")]


def test_thinking_blocks_against_the_template(model: Path, tmp_path: Path) -> None:
    thinking, plain = [["几点退房？", f"{THINK}中午12点。"]], [["几点退房？", "中午12点。"]]
    assert codes(check(model, tmp_path, thinking, template="qwen3")) == []
    assert codes(check(model, tmp_path, thinking)) == [("thinking_without_template", None)]
    assert codes(check(model, tmp_path, plain)) == []
    (note,) = check(model, tmp_path, plain, template="qwen3").findings
    assert (note.code, note.severity) == ("thinking_empty_added", "note")
    (mixed,) = check(model, tmp_path, [*thinking, ["含早餐吗？", "含。"]], template="qwen3").findings
    assert (mixed.code, mixed.severity) == ("thinking_empty_added", "bad")
    assert codes(check(model, tmp_path, [["q", "<think>x</think>y"]], template="qwen3")) == [("thinking_malformed", 0)]


def test_call_with_text_before_it_stops_templates_that_read_json_only(model: Path, tmp_path: Path) -> None:
    call = '查一下。<tool_call>{"name": "rate", "arguments": {"room": 8}}</tool_call>'
    turns = [("human", "q"), ("function_call", call), ("observation", "1"), ("gpt", "300。")]
    rows = [{"conversations": [{"from": role, "value": value} for role, value in turns]}]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    assert validate(tmp_path / "rows.json", model=model, template="qwen").kept == 1
    stopped = validate(tmp_path / "rows.json", model=model, template="mistral")
    assert (stopped.kept, stopped.would_crash, stopped.findings[0].code) == (0, 1, "call_not_plain_json")


def test_pretraining_is_counted_as_packed(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "pt.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * 49}) + "\n" for _ in range(5)))
    report = validate(path, model=model, template="default", cutoff_len=100)
    assert (report.tokens[0].tokens, codes(report)) == (250, [("packing_tail", None)])
    assert "makes 2 sequences and leaves out 50 of 250 tokens" in report.findings[0].message
    short = validate(path, model=model, template="default", cutoff_len=1000)
    assert [(f.code, f.severity) for f in short.findings] == [("too_few_tokens", "crash")]


def test_pairs_share_one_cut(model: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"instruction": "q", "input": "", "chosen": "好" * 100, "rejected": "不好。"}]
    (tmp_path / "dpo.json").write_text(json.dumps(rows), encoding="utf-8")
    report = validate(tmp_path / "dpo.json", model=model, template="qwen3_nothink", cutoff_len=100)
    assert codes(report) == [("answer_truncated", 0)]
    assert report.tokens[0].longest == 22 + 300 + 2 - 2


def test_template_is_chosen_from_the_model(model: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"instruction": "q", "input": "", "output": "a"}]')
    assert validate(tmp_path / "rows.json", model=model).tokens[0].template == "qwen3"


def test_wrong_requests(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"instruction": "q", "input": "", "output": "a"}]')
    assert main(["validate", str(path), "--model", str(model), "--template", "qwen33"]) == 2
    assert "did you mean 'qwen3'" in capsys.readouterr().err
    assert main(["validate", str(path), "--template", "qwen3"]) == 2
    with pytest.raises(UsageError, match="no tokenizer there"):
        validate(path, model=tmp_path, template="qwen3")
    assert main(["validate", str(path), "--model", str(model), "--template", "qwen3_nothink", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"][0]["rows"] == 1


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [(3000, 100, (1948, 100)), (100, 3000, (100, 1948)), (3000, 3000, (1024, 1024)), (5000, 1500, (1576, 472)), (10, 10, (10, 10))],
)
def test_budget_is_split_as_llamafactory_does(source: int, target: int, kept: tuple[int, int]) -> None:
    assert split_budget(source, target, 2048) == kept


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 3000))
def test_budget_is_never_exceeded(source: int, target: int, budget: int) -> None:
    kept_source, kept_target = split_budget(source, target, budget)
    assert 0 <= kept_source <= source
    assert 0 <= kept_target <= target
    assert kept_source + kept_target <= budget


def test_every_template_that_is_chosen_is_known() -> None:
    from datagen.export.llamafactory import choose_template

    names = ["Qwen3-4B-Instruct", "Qwen3-8B", "Qwen2.5-7B", "gemma-3-270m", "gemma-3-4b", "gemma-2b", "SmolLM2-135M", "SmolLM-135M"]
    names += ["Llama-3-8B", "llama-2-7b", "Mistral-7B", "unheard-of"]
    assert {choose_template(name).name for name in names} <= TEMPLATES.keys()
