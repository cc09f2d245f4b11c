"""Ask LLaMA-Factory what it trains on: ids and labels of every row of a set, under a template and a cutoff; runs under its own Python.

    python lf_tokens_driver.py JOBS.json MODEL_DIR OUT.json

``JOBS.json``: a list of ``{"id", "data_dir", "name", "stage", "template", "cutoff_len"}``, ``arguments`` being optional. Writes
``{id: [{column: [ids]}]}`` with the columns that hold token ids and labels.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = {
    "sft": ("input_ids", "labels"), "ppo": ("input_ids", "labels"), "kto": ("input_ids", "labels"),
    "dpo": ("chosen_input_ids", "chosen_labels", "rejected_input_ids", "rejected_labels"),
}  # fmt: skip


def main(jobs: Path, model: Path, out: Path) -> None:
    """Run all jobs."""
    data = importlib.import_module("llamafactory.data")
    hparams = importlib.import_module("llamafactory.hparams")
    load_tokenizer = importlib.import_module("llamafactory.model").load_tokenizer
    found: dict[str, Any] = {}
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        stage = job["stage"]
        arguments = {
            "model_name_or_path": str(model), "stage": stage, "do_train": True, "finetuning_type": "lora", "dataset": job["name"],
            "dataset_dir": job["data_dir"], "template": job["template"], "cutoff_len": job["cutoff_len"],
            "output_dir":
            f"{out}.d/{job['id']}", "overwrite_cache": True, "use_cpu": True, "report_to": "none", "packing": False,
        } | job.get("arguments", {})  # fmt: skip
        if stage == "ppo":
            arguments |= {"reward_model": str(model), "reward_model_type": "full"}
        parsed = hparams.get_train_args(arguments)
        tokenizer = load_tokenizer(parsed[0])
        template = data.get_template_and_fix_tokenizer(tokenizer["tokenizer"], parsed[1])
        loader = "rm" if stage == "dpo" else stage
        rows = data.get_dataset(template, *parsed[:3], stage=loader, **tokenizer)["train_dataset"]
        found[job["id"]] = [{column: row[column] for column in COLUMNS[stage]} for row in rows]
        if stage == "sft":
            for row, texts in zip(rows, found[job["id"]], strict=True):
                texts["decoded"] = tokenizer["tokenizer"].decode(row["input_ids"])
    out.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
