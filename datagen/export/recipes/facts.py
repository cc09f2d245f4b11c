"""What every training recipe is written from, whatever program trains."""

import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

TrainStage = Literal["sft", "dpo", "kto", "rm", "ppo", "pt"]
PREFERENCE_STAGES = ("dpo", "kto")


@dataclass(frozen=True, slots=True)
class TrainPreset:
    """Training numbers. ``loraplus_lr_ratio`` (LoRA+): 16.0 is usual, None leaves it off. ``max_steps`` overrides epochs."""

    lora_rank: int = 8
    loraplus_lr_ratio: float | None = None
    learning_rate: float | None = None
    epochs: float = 3.0
    max_steps: int | None = None
    batch_size: int = 1
    gradient_accumulation_steps: int = 8
    cutoff_len: int = 2048
    early_stopping_evals: int = 3
    seed: int = 42


@dataclass(frozen=True, slots=True)
class TrainFacts:
    """One training: the registered files, the model, the stage and the numbers.

    ``export_dir`` is where other programs than LLaMA-Factory read their copy of the data; ``several_answers`` says that conversations
    have more than one answer to learn; ``holds_text`` that the set is plain text.
    """

    name: str
    stage: TrainStage
    model: str
    output_dir: str
    train_file: Path
    eval_file: Path | None
    export_dir: Path
    sha256: str = "unknown"
    train_rows: int | None = None
    several_answers: bool = False
    holds_text: bool = False
    device: Literal["gpu", "cpu"] = "gpu"
    preset: TrainPreset = field(default_factory=TrainPreset)

    @property
    def has_eval(self) -> bool:
        return self.eval_file is not None

    @property
    def learning_rate(self) -> float:
        return learning_rate(self.stage, self.preset)

    @property
    def eval_steps(self) -> int:
        return eval_steps(self.train_rows, self.preset)

    @property
    def warmup_steps(self) -> int:
        """A tenth of all steps, for programs whose versions disagree on writing it as a share; 10 where the number of rows is unknown."""
        p = self.preset
        if p.max_steps is None and self.train_rows is None:
            return 10
        steps = p.max_steps or p.epochs * (self.train_rows or 0) / (p.batch_size * p.gradient_accumulation_steps)
        return math.ceil(steps / 10)

    def exported(self, side: Literal["train", "eval"]) -> Path:
        """Return the file that ``export_command`` writes."""
        return self.export_dir / f"{self.name}_{side}.jsonl"

    def export_command(self, to: Literal["trl", "openai"]) -> str:
        """Return the command that writes the data in the columns the program reads."""
        words = ["datagen", "export", str(self.train_file)]
        if self.eval_file:
            words += ["--eval", str(self.eval_file)]
        return shlex.join([*words, "--to", to, "--name", self.name, "-o", str(self.export_dir), "--replace"])


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration or script, the command that trains with it, and the command that writes its data ('' if none is needed)."""

    text: str
    command: str
    data_command: str = ""


def learning_rate(stage: TrainStage, preset: TrainPreset) -> float:
    """Return the preset's rate, else 1e-4; 5e-6 for preference stages, 1e-5 for ppo."""
    if preset.learning_rate is not None:
        return preset.learning_rate
    return 5.0e-6 if stage in PREFERENCE_STAGES else 1.0e-5 if stage == "ppo" else 1.0e-4


def eval_steps(rows: int | None, preset: TrainPreset) -> int:
    """Return the steps between evaluations: about twice an epoch; 50 where the number of rows is unknown."""
    if preset.max_steps is not None:
        return max(1, min(50, preset.max_steps))
    if rows is None:
        return 50
    return max(1, math.ceil(rows / (preset.batch_size * preset.gradient_accumulation_steps)) // 2)
