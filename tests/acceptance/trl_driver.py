"""Train one step with TRL's trainers on exported files and say what they learn; runs under TRL's Python, not datagen's.

    python trl_driver.py MODEL_DIR FOLDER OUT.json

``FOLDER`` holds ``sft``, ``tools`` and ``dpo``, each an export. Writes ``{name: {"losses", "inputs", "learned"}}``: losses, and the
decoded inputs and learned tokens of the first row.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(model: Path, folder: Path, out: Path) -> None:
    """Run all trainers."""
    trl = importlib.import_module("trl")
    load_dataset = importlib.import_module("datasets").load_dataset
    common = {
        "max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "bf16": False, "report_to": "none", "logging_steps": 1,
        "max_length": 512, "output_dir": str(folder / "trained"),
    }  # fmt: skip
    seen: dict[str, dict[str, Any]] = {}
    for name in ("sft", "tools", "dpo"):
        data = load_dataset(str(folder / name), split="train")
        if name == "dpo":
            trainer = trl.DPOTrainer(model=str(model), args=trl.DPOConfig(**common), train_dataset=data)
        else:
            args = trl.SFTConfig(**common, assistant_only_loss=name == "tools")
            trainer = trl.SFTTrainer(model=str(model), args=args, train_dataset=data)
        losses = [entry["loss"] for entry in _train(trainer) if "loss" in entry]
        seen[name] = {"losses": losses}
        if name != "dpo":
            batch = trainer.data_collator([trainer.train_dataset[0]])
            tokenizer = trainer.processing_class
            learned = [i for i, label in zip(batch["input_ids"][0], batch["labels"][0], strict=True) if label != -100]
            seen[name] |= {"inputs": [tokenizer.decode(batch["input_ids"][0])], "learned": [tokenizer.decode(learned)]}
    out.write_text(json.dumps(seen, ensure_ascii=False), encoding="utf-8")


def _train(trainer: Any) -> list[dict[str, float]]:
    trainer.train()
    return trainer.state.log_history


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
