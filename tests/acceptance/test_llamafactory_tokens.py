"""Ids, labels and decoded text of real rows equal what LLaMA-Factory 0.9.5 trains on, for many templates and cutoffs."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from datagen.export.llamafactory import validate
from datagen.export.llamafactory.registry.entry import read_entry
from datagen.export.llamafactory.rules.align import Aligned
from datagen.export.llamafactory.rules.converters import converter_of
from datagen.export.llamafactory.rules.files import load_table
from datagen.export.llamafactory.rules.stages import Stage
from datagen.export.llamafactory.templates.names import NAMES
from datagen.export.llamafactory.templates.spec import TEMPLATES
from datagen.export.llamafactory.tokens.check import token_check
from datagen.export.llamafactory.tokens.encode import Encoded, encode_row
from datagen.export.llamafactory.tokens.packing import pack

pytestmark = pytest.mark.llamafactory
HERE = Path(__file__).parent
VENV = Path(os.environ.get("DATAGEN_LF_VENV", Path.home() / ".cache/llamafactory-venv"))
MODEL = Path(os.environ.get("DATAGEN_LF_MODEL", VENV / "share/datagen-tiny-llama"))
N_PER_SET = {"alpaca_en_demo": 40, "alpaca_zh_demo": 40, "identity": 20, "glaive_toolcall_en_demo": 50, "glaive_toolcall_zh_demo": 50}
PAIRS: dict[str, Stage] = {"dpo_en_demo": "dpo", "dpo_zh_demo": "dpo", "kto_en_demo": "kto"}
# Rows no real set has: thinking blocks, parallel calls, a literal {{idx}}, a row far over the cutoff, an answer over the cutoff.
EDGES = [
    [("human", "{{idx}} 几点退房？"), ("gpt", "<think>\n退房规则。\n</think>\n\n中午12点。"), ("human", "{{idx}}"), ("gpt", "好的。")],
    [("human", "x " * 3000), ("gpt", "y " * 20)],
    [("human", "x " * 20), ("gpt", "y " * 3000)],
    [("human", "x " * 900), ("gpt", "y " * 900), ("human", "again"), ("gpt", "z " * 50)],
    [("system", "你是酒店助手。"), ("human", "两间房"),
     ("function_call", '[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {"n": 2}}]'),
     ("observation", "300<300>"), ("gpt", "每晚300元。")],
]  # fmt: skip
TOOL = {"name": "rate", "description": "Price", "parameters": {"type": "object", "properties": {"room": {"type": "integer"}}}}
CALL = {"id": "c", "type": "function", "function": {"name": "rate", "arguments": '{"room": 1}'}}
OPENAI = [
    {"messages": [{"role": "user", "content": "有早餐吗？"}, {"role": "assistant", "content": "有。"}], "tools": ""},
    {"messages": [{"role": "system", "content": "你是前台。"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
     "tools": ""},
    {"messages": [{"role": "system", "content": "你是前台。"}, {"role": "user", "content": "两间房"},
                  {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]}, {"role": "tool", "content": "300"},
                  {"role": "tool", "content": "400"}, {"role": "assistant", "content": "共700元。"}], "tools": json.dumps([TOOL])},
]  # fmt: skip
# A call with text before it: templates that fuse the system text stop on it.
CALL_AFTER_TEXT = [
    [("human", "查价"),
     ("function_call", '想一想。<tool_call>{"name": "rate", "arguments": {"room": 8}}</tool_call>'), ("observation", "1"), ("gpt", "1元")],
]  # fmt: skip


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    shared = Path(os.environ.get("DATAGEN_SHARED_DATA", HERE.parents[2] / "shared" / "data")) / "llamafactory_demo"
    if not shared.is_dir():
        pytest.skip("the real sets are absent")
    folder = tmp_path_factory.mktemp("sampled")
    info = json.loads((shared / "dataset_info.json").read_text(encoding="utf-8"))
    chosen: dict[str, Any] = {}
    rng = random.Random(3)
    for name, n in {**N_PER_SET, **dict.fromkeys(PAIRS, 40)}.items():
        rows = json.loads((shared / info[name]["file_name"]).read_text(encoding="utf-8"))
        (folder / f"{name}.json").write_text(json.dumps(rng.sample(rows, n), ensure_ascii=False), encoding="utf-8")
        chosen[name] = info[name] | {"file_name": f"{name}.json"}
    for name, conversations in (("edges", EDGES), ("call_after_text", CALL_AFTER_TEXT)):
        edges = [{"conversations": [{"from": role, "value": value} for role, value in turns]} for turns in conversations]
        (folder / f"{name}.json").write_text(json.dumps(edges, ensure_ascii=False), encoding="utf-8")
        chosen[name] = {"file_name": f"{name}.json", "formatting": "sharegpt"}
    repeated = rng.choices(json.loads((shared / "alpaca_zh_demo.json").read_text(encoding="utf-8")), k=2300)
    (folder / "repeated.json").write_text(json.dumps(repeated, ensure_ascii=False), encoding="utf-8")
    chosen["repeated"] = info["alpaca_zh_demo"] | {"file_name": "repeated.json"}
    (folder / "openai.json").write_text(json.dumps(OPENAI, ensure_ascii=False), encoding="utf-8")
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    tags |= {"observation_tag": "tool", "function_tag": "function", "system_tag": "system"}
    columns = {"messages": "messages", "tools": "tools"}
    chosen["openai"] = {"file_name": "openai.json", "formatting": "openai", "columns": columns, "tags": tags}
    (folder / "dataset_info.json").write_text(json.dumps(chosen), encoding="utf-8")
    sets = [
        *((name, "sft", "default", 2048) for name in N_PER_SET),
        *((name, PAIRS[name], template, cutoff) for name in PAIRS for template, cutoff in (("qwen3", 256), ("gemma2", 512))),
        *(("edges", "sft", template, cutoff) for template in TEMPLATES if template != "gemma3" for cutoff in (1024, 4096)),
        *(("call_after_text", "sft", name, 1024) for name, spec in TEMPLATES.items() if not spec.fuses_system),
        *(("glaive_toolcall_zh_demo", "sft", template, 300) for template in ("qwen", "llama3", "mistral", "gemma2")),
        *(("openai", "sft", template, 2048) for template in ("default", "qwen3", "llama3")),
        ("alpaca_zh_demo", "ppo", "qwen3", 64),
    ]
    keys = ("name", "stage", "template", "cutoff_len")
    plain = [dict(zip(keys, each, strict=True)) | {"id": "-".join(map(str, each)), "data_dir": str(folder)} for each in sets]
    packed = [("alpaca_en_demo", 512), ("glaive_toolcall_zh_demo", 300), ("repeated", 256)]
    return plain + [
        {"name": name, "stage": "sft", "template": "qwen3_nothink", "cutoff_len": cutoff, "data_dir": str(folder), "id": f"{name}-{key}"}
        | {"arguments": {key: True}}
        for name, cutoff in packed
        for key in ("packing", "neat_packing")
    ]


def predicted(job: dict[str, Any]) -> list[list[Encoded]]:
    folder = Path(job["data_dir"])
    entry = read_entry(job["name"], json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))[job["name"]])
    align = converter_of(entry)
    assert align
    rows: list[Aligned] = [align(row, entry) for row in load_table(folder / entry.file_name).rows]
    how = token_check(MODEL, template=job["template"], cutoff_len=job["cutoff_len"]).how
    return [encode_row(row, job["stage"], how) for row in rows]


def test_template_names_are_llamafactorys() -> None:
    code = "from llamafactory.data.template import TEMPLATES; print(' '.join(TEMPLATES))"
    offline = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([str(VENV / "bin/python"), "-c", code], env=os.environ | offline, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].split()) == NAMES
    assert TEMPLATES.keys() <= NAMES


def check_packing(job: dict[str, Any], observed: list[dict[str, Any]]) -> None:
    """The numbers of sequences and the tokens in each; the tiny model pads with id 0, which no text holds."""
    report = validate(
        Path(job["data_dir"]), name=job["name"], model=MODEL, template=job["template"], cutoff_len=job["cutoff_len"], packing=True
    )
    assert report.tokens[0].packed_sequences == len(observed), job["id"]
    capacity = job["cutoff_len"] - 1
    lengths = [(i, len(row[0].input_ids)) for i, row in enumerate(predicted(job | {"cutoff_len": capacity}))]
    seen = [len(row["input_ids"]) - next(i for i, token in enumerate([*reversed(row["input_ids"]), 1]) if token) for row in observed]
    assert [sum(sequence) for sequence in pack(lengths, capacity)] == seen, job["id"]
    assert {len(row["input_ids"]) for row in observed} == {job["cutoff_len"]}


def test_ids_and_labels_equal_llamafactorys(jobs: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    out = tmp_path / "out.json"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "CUDA_VISIBLE_DEVICES": ""}
    command = [str(VENV / "bin/python"), str(HERE / "lf_tokens_driver.py"), str(tmp_path / "jobs.json"), str(MODEL), str(out)]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | offline, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    observed = json.loads(out.read_text(encoding="utf-8"))
    n_real = 0
    for job in jobs:
        if "arguments" in job:
            check_packing(job, observed[job["id"]])
            continue
        rows = predicted(job)
        assert len(rows) == len(observed[job["id"]]), job["id"]
        for number, (sequences, seen) in enumerate(zip(rows, observed[job["id"]], strict=True)):
            columns = ("",) if len(sequences) == 1 else ("chosen_", "rejected_")
            for column, sequence in zip(columns, sequences, strict=True):
                where = f"{job['id']} row {number} {column}"
                if job["stage"] == "ppo":
                    assert sequence.input_ids == seen["input_ids"] + seen["labels"], where
                    continue
                assert sequence.input_ids == seen[f"{column}input_ids"], where
                assert sequence.labels == seen[f"{column}labels"], where
        if job["template"] == "default" and job["name"] in N_PER_SET:
            tokenizer = token_check(MODEL, template="default").how.tokenizer
            assert [tokenizer.decode(row[0].input_ids) for row in rows] == [seen["decoded"] for seen in observed[job["id"]]]
            n_real += len(rows)
    assert n_real == 200
