"""The same training facts for Unsloth: a Python script, because Unsloth is a library; it reads chat messages (``datagen export --to
openai``) or TRL's pairs (``--to trl``).

The target modules are listed by name, as its README lists them: only its vision models are seen to take "all-linear".

Source: unsloth: README.md (FastLanguageModel, get_peft_model); its trainers are TRL's. Not run here: it needs a GPU
"""

import shlex
from pathlib import Path

from datagen.errors import UsageError
from datagen.export.recipes.facts import Recipe, TrainFacts

_SCRIPT = '''"""{name}, stage {stage}, with Unsloth. Written by datagen; first run:

    {data_command}
"""

from datasets import load_dataset
from unsloth import FastLanguageModel{unsloth_imports}

from {transformers_import}
from trl import {trainer}, {config}

model, tokenizer = FastLanguageModel.from_pretrained(model_name={model!r}, max_seq_length={cutoff_len}, load_in_4bit={four_bit})
model = FastLanguageModel.get_peft_model(
    model, r={rank}, lora_alpha={alpha}, lora_dropout=0, use_gradient_checkpointing="unsloth", random_state={seed},
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
)
train = load_dataset("json", data_files={train!r}, split="train")
evaluation = {evaluation}
{prepare}
trainer = {trainer}(
    model=model,
    processing_class=tokenizer,
    train_dataset=train,
    eval_dataset=evaluation,
    callbacks={callbacks},
    args={config}(
        output_dir={output_dir!r},
        max_length={cutoff_len},
        per_device_train_batch_size={batch_size},
        gradient_accumulation_steps={accumulation},
        learning_rate={learning_rate!r},
        num_train_epochs={epochs!r},
        max_steps={max_steps},
        lr_scheduler_type="cosine",
        warmup_steps={warmup},
        seed={seed},
        logging_steps={logging_steps},
        eval_strategy={strategy!r},
        eval_steps={steps},
        save_steps={steps},
        save_total_limit=2,
        load_best_model_at_end={best},
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        report_to="none",{extra}
    ),
)
{finish}trainer.train()
model.save_pretrained({output_dir!r})
tokenizer.save_pretrained({output_dir!r})
'''
_TO_TEXT = """

def as_text(row):
    return {"text": tokenizer.apply_chat_template(row["messages"], tools=row.get("tools") or None, tokenize=False)}


train = train.map(as_text, remove_columns=train.column_names)
evaluation = evaluation.map(as_text, remove_columns=evaluation.column_names) if evaluation else None
"""
_RESPONSES_ONLY = """
# The loss is on answers only. The markers are the chat template's: change them for a model that does not use ChatML.
trainer = train_on_responses_only(trainer, instruction_part="<|im_start|>user\\n", response_part="<|im_start|>assistant\\n")
"""


def unsloth_recipe(facts: TrainFacts, path: Path) -> Recipe:
    """Return the script, the command that exports the data, and the command that trains.

    Raises:
        UsageError: a stage other than sft and dpo; LoRA+; or device ``cpu``, which Unsloth does not train on.
    """
    if facts.stage not in ("sft", "dpo"):
        raise UsageError(f"datagen writes no Unsloth script for stage {facts.stage}", hint="use --for llamafactory or trl")
    if facts.device == "cpu":
        raise UsageError("Unsloth trains on GPUs only", hint="use --for llamafactory or trl with --device cpu")
    if facts.preset.loraplus_lr_ratio is not None:
        raise UsageError("Unsloth has no LoRA+", hint="leave --loraplus out, or use --for llamafactory or axolotl")
    p, is_sft = facts.preset, facts.stage == "sft"
    data_command = facts.export_command("openai" if is_sft else "trl")
    evaluation = f'load_dataset("json", data_files={str(facts.exported("eval"))!r}, split="train")' if facts.has_eval else "None"
    steps = facts.eval_steps
    text = _SCRIPT.format(
        name=facts.name,
        stage=facts.stage,
        # A path may hold quotes: they must not end the text that stands at the script's head.
        data_command=data_command.replace("\\", "\\\\").replace('"', '\\"'),
        unsloth_imports="\nfrom unsloth.chat_templates import train_on_responses_only"
        if is_sft
        else ", PatchDPOTrainer\n\nPatchDPOTrainer()",
        transformers_import="transformers import EarlyStoppingCallback",
        trainer="SFTTrainer" if is_sft else "DPOTrainer",
        config="SFTConfig" if is_sft else "DPOConfig",
        model=facts.model,
        cutoff_len=p.cutoff_len,
        four_bit=False,
        rank=p.lora_rank,
        alpha=2 * p.lora_rank,
        seed=p.seed,
        warmup=facts.warmup_steps,
        train=str(facts.exported("train")),
        evaluation=evaluation,
        prepare=_TO_TEXT if is_sft else "",
        callbacks=f"[EarlyStoppingCallback(early_stopping_patience={p.early_stopping_evals})]" if facts.has_eval else "[]",
        output_dir=facts.output_dir,
        batch_size=p.batch_size,
        accumulation=p.gradient_accumulation_steps,
        learning_rate=facts.learning_rate,
        epochs=p.epochs,
        max_steps=-1 if p.max_steps is None else p.max_steps,
        logging_steps=min(10, steps),
        strategy="steps" if facts.has_eval else "no",
        steps=steps,
        best=facts.has_eval,
        extra="" if is_sft else "\n        beta=0.1,",
        finish=_RESPONSES_ONLY if is_sft else "",
    )
    return Recipe(text, f"python {shlex.quote(str(path))}", data_command)
