"""Ask LLaMA-Factory's own loader what it does with each case; runs under LLaMA-Factory's Python, not datagen's.

    python lf_driver.py CASES.json MODEL_DIR WORK_DIR OUT.json

Writes ``{case id: {"kept": n, "texts": [...]} | {"crash": "ErrorType: message"}}``; ``texts`` are the decoded inputs.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

LOADER_STAGE = {"dpo": "rm"}


def content(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case's file; ``pieces`` are lines and how often each comes, ``@PAD@`` is 100,000 letters."""
    if "pieces" in case:
        return "".join((line.replace("@PAD@", "p" * 100_000) + "\n") * times for line, times in case["pieces"]).encode()
    return bytes.fromhex(case["hex"]) if "hex" in case else case.get("text", json.dumps(case.get("rows"), ensure_ascii=False)).encode()


def main(cases_path: Path, model: Path, work: Path, out: Path) -> None:
    """Run all cases."""
    data = importlib.import_module("llamafactory.data")
    hparams = importlib.import_module("llamafactory.hparams")
    load_tokenizer = importlib.import_module("llamafactory.model").load_tokenizer
    verdicts: dict[str, dict[str, Any]] = {}
    for case in json.loads(cases_path.read_text(encoding="utf-8")):
        folder = work / case["id"]
        folder.mkdir(parents=True)
        name = case["entry"].get("file_name", "missing.json")
        if "files" in case:
            (folder / name).mkdir()
            for file, text in case["files"].items():
                (folder / name / file).write_text(text, encoding="utf-8")
        else:
            (folder / name).write_bytes(content(case))
        (folder / "dataset_info.json").write_text(json.dumps({"set": case["entry"]}), encoding="utf-8")
        arguments = {
            "model_name_or_path": str(model), "stage": case["stage"], "do_train": True, "finetuning_type": "lora", "dataset": "set",
            "dataset_dir": str(folder), "template": case.get("template", "default"), "cutoff_len": 4096, "output_dir": str(folder / "out"),
            "overwrite_cache": True, "use_cpu": True, "report_to": "none", "packing": False,
        }  # fmt: skip
        if case["stage"] == "ppo":
            arguments |= {"reward_model": str(model), "reward_model_type": "full"}
        try:
            parsed = hparams.get_train_args(arguments)
            tokenizer = load_tokenizer(parsed[0])
            template = data.get_template_and_fix_tokenizer(tokenizer["tokenizer"], parsed[1])
            stage = LOADER_STAGE.get(case["stage"], case["stage"])
            rows = data.get_dataset(template, *parsed[:3], stage=stage, **tokenizer)["train_dataset"]
            column = "chosen_input_ids" if stage == "rm" else "input_ids"
            texts = [tokenizer["tokenizer"].decode(row[column]) for row in rows]
            verdicts[case["id"]] = {"kept": len(rows), "texts": texts}
        except Exception as error:  # noqa: BLE001  any error of LLaMA-Factory is a verdict here
            verdicts[case["id"]] = {"crash": f"{type(error).__name__}: {str(error)[:160]}"}
    out.write_text(json.dumps(verdicts, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))
