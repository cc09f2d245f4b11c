"""Examples per second of the probe's trainer, LLaMA-Factory's and TRL's at their defaults: same machine, model, rows, batch and steps.

    python tests/bench/probe_peers.py [MODEL] [--steps 5] [--venv DIR] [--trl-venv DIR]

The peers run in their own venvs (LLaMA-Factory 0.9.5: tests/acceptance/make_llamafactory_venv.sh; TRL 1.16) and are timed by their
own ``train_runtime``, without loading. Then steps once more in float32, with the probe's
forward pass and with plain ``labels=`` and padded rows: the difference of the final eval loss. Prints one JSON object.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe_timed import Timed

from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.engine.place import Place
from datagen.probe.engine.processes import compute_in_processes
from datagen.probe.models.backend import adapter_parameters, choose_device, choose_dtype, load_backend, require_torch, reset_adapter
from datagen.probe.models.known import resolve_model
from datagen.schemas.record import completion_text, question_answer
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.data.encode import Example
    from datagen.probe.models.backend import Backend

BATCH = 8
RATE = 3e-4
TEMPLATES = {"gemma3-270m": "deepseek", "smollm2-135m": "smollm"}
"""LLaMA-Factory's templates that give the tokens the probe trains on."""

_TRL = """
import json, sys, trl
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer
model, rows, out, steps, batch, rate, targets = sys.argv[1:8]
data = Dataset.from_list([{"prompt": r["prompt"], "completion": r["output"]} for r in json.load(open(rows))])
config = SFTConfig(output_dir=out, max_steps=int(steps), per_device_train_batch_size=int(batch), learning_rate=float(rate),
                   report_to=[], save_strategy="no", logging_strategy="no", use_cpu=True, disable_tqdm=True)
lora = LoraConfig(r=16, lora_alpha=32, target_modules=targets.split(","), task_type="CAUSAL_LM")
trainer = SFTTrainer(model=model, args=config, train_dataset=data, peft_config=lora)
seconds = trainer.train().metrics["train_runtime"]
found = {"seconds": seconds, "bf16": config.bf16, "dtype": str(trainer.model.dtype), "trl": trl.__version__}
print("RESULT " + json.dumps(found))
"""


def rows_for(model: str, count: int) -> list[Sample]:
    """Return hotel questions, half of them Chinese unless the model knows English only."""
    return [_row(n, english=model == "smollm2-135m") for n in range(count)]


def measure(model: str, steps: int, venv: Path, trl_venv: Path) -> dict[str, object]:
    """Time all three, then compare losses in float32."""
    require_torch()
    import torch

    dtype = choose_dtype("auto", choose_device())
    folder = resolve_model(model).prepare(dtype)
    samples = rows_for(model, steps * BATCH)
    result: dict[str, Any] = {
        "model": model,
        "rows": len(samples),
        "batch": BATCH,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    config = ProbeConfig(model=model, batch_size=BATCH, learning_rate=RATE)
    backend = load_backend(folder, config)
    result["ours"] = _ours(backend, samples, config)
    targets = sorted({n.split(".lora_A")[0].split(".")[-1] for n, _ in adapter_parameters(backend) if ".lora_A" in n})
    del backend
    result["ours_two_at_once"] = _two_at_once(folder, samples, config)
    with tempfile.TemporaryDirectory() as scratch:
        result["llamafactory"] = _llamafactory(venv, Path(scratch), folder, model, samples, steps)
        result["trl"] = _trl(trl_venv, Path(scratch), folder, samples, steps, targets)
    for peer in ("llamafactory", "trl"):
        if "seconds" in result[peer]:
            result[f"times_{peer}"] = round(result[peer]["seconds"] / result["ours"]["seconds"], 2)
            at_once = result["ours_two_at_once"]["examples_per_s"]
            result[f"times_{peer}_two_at_once"] = round(at_once * result[peer]["seconds"] / len(samples), 2)
    result["exact"] = _exact(folder, samples[: 3 * BATCH], config.model_copy(update={"dtype": "float32"}))
    return result


def _ours(backend: "Backend", samples: list[Sample], config: ProbeConfig) -> dict[str, float]:
    """Time the steps as a run makes them, and a bare loop over the same batches (no schedule, clipping, bookkeeping)."""
    from datagen.probe.data.batch import group
    from datagen.probe.data.encode import encode, training_batches
    from datagen.probe.train.loop import Task, train_run
    from datagen.probe.train.objective import example_losses
    from datagen.probe.train.optimizer import build_optimizer

    rows = encode(samples, backend.tokenizer, max_length=config.max_length).examples
    quick = config.model_copy(update={"evals_per_run": 1})
    steps = len(rows) // BATCH
    train_run(backend, Task(rows[:BATCH], rows[:1], quick, 0, 1))
    started, cpu = time.monotonic(), time.process_time()
    train_run(backend, Task(rows, rows[:1], quick, 0, steps))
    ours, cpu = time.monotonic() - started, time.process_time() - cpu
    parameters = reset_adapter(backend, 0)
    optimizer = build_optimizer(parameters, quick)
    started = time.monotonic()
    for batch in training_batches(rows, batch_size=BATCH, rng=random.Random("order:0:0")):
        for part in group(batch, token_budget=config.token_budget, packed=backend.packed):
            example_losses(backend, part, packed=backend.packed).nll.sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    bare = time.monotonic() - started
    return {
        "seconds": round(ours, 2),
        "cpu_seconds": round(cpu, 2),
        "examples_per_s": round(len(rows) / ours, 3),
        "tokens_per_s": round(sum(e.length for e in rows) / ours, 1),
        "overhead_over_bare_loop": round(ours / bare - 1, 3),
    }


def _two_at_once(folder: Path, samples: list[Sample], config: ProbeConfig) -> dict[str, float]:
    """Time two runs in two processes of one thread each, as the probe's engine does on two cores: examples per second of both together."""
    seconds: dict[int, float] = {}

    def take(run: int, done: int, note: str) -> None:
        if note:
            seconds[run] = float(note)

    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    compute_in_processes(Timed(folder, samples, config), [0, 1], Place("processes", 2, 1, "cpu"), on_step=take)
    return {"seconds": round(max(seconds.values()), 2), "examples_per_s": round(sum(len(samples) / s for s in seconds.values()), 3)}


def _llamafactory(venv: Path, scratch: Path, folder: Path, model: str, samples: list[Sample], steps: int) -> dict[str, Any]:
    write_json(scratch / "dataset_info.json", {"bench": {"file_name": "rows.json"}})
    write_json(scratch / "rows.json", [_alpaca(s) for s in samples])
    settings = {
        "model_name_or_path": str(folder),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_target": "all",
        "dataset": "bench",
        "dataset_dir": str(scratch),
        "template": TEMPLATES.get(model, "default"),
        "output_dir": str(scratch / "lf"),
        "max_steps": steps,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1000,
        "use_cpu": True,
        "trust_remote_code": False,
    }
    write_json(scratch / "train.yaml", settings)  # JSON is YAML; the peer reads .json files wrongly
    done = _run([str(venv / "bin" / "llamafactory-cli"), "train", str(scratch / "train.yaml")])
    report = scratch / "lf" / "train_results.json"
    if done.returncode or not report.is_file():
        return {"failed": (done.stderr or done.stdout)[-800:]}
    return {"seconds": json.loads(report.read_text(encoding="utf-8"))["train_runtime"], "precision": "its default (float32 on CPU)"}


def _trl(venv: Path, scratch: Path, folder: Path, samples: list[Sample], steps: int, targets: list[str]) -> dict[str, Any]:
    write_json(scratch / "trl.json", [{**_alpaca(s), "prompt": _alpaca(s)["instruction"] + "\n" + _alpaca(s)["input"]} for s in samples])
    (scratch / "train_with_trl.py").write_text(_TRL, encoding="utf-8")
    arguments = [folder, scratch / "trl.json", scratch / "trl", steps, BATCH, RATE, ",".join(targets)]
    done = _run([str(venv / "bin" / "python"), str(scratch / "train_with_trl.py"), *map(str, arguments)])
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return json.loads(found[-1][7:]) if found else {"failed": (done.stderr or done.stdout)[-800:]}


def _exact(folder: Path, samples: list[Sample], config: ProbeConfig) -> dict[str, float]:
    """Train the same batches twice in float32, with the probe's forward pass and with transformers' own, and compare the eval loss."""
    from datagen.probe.data.encode import encode, training_batches
    from datagen.probe.train.evaluate import evaluate
    from datagen.probe.train.loop import optimize
    from datagen.probe.train.optimizer import build_optimizer, set_rate

    backend = load_backend(folder, config)
    rows = encode(samples, backend.tokenizer, max_length=config.max_length).examples
    batches = training_batches(rows, batch_size=BATCH, rng=random.Random(0))
    losses: list[float] = []
    for plain in (False, True):
        if plain:
            for module in backend.causal.modules():
                module.__dict__.pop("forward", None)  # peft's own LoRA layers again
        parameters = reset_adapter(backend, 0)
        optimizer = build_optimizer(parameters, config)
        for step, batch in enumerate(batches):
            set_rate(optimizer, step, len(batches), config)
            if plain:
                _plain_step(backend, batch, parameters, optimizer)
            else:
                optimize(backend, batch, parameters, optimizer, config)
        items = evaluate(backend, rows, config=config)
        losses.append(sum(i.nll for i in items) / sum(e.n_tokens for e in rows))
    return {"steps": len(batches), "eval_loss": losses[0], "eval_loss_plain": losses[1], "difference": abs(losses[0] - losses[1])}


def _plain_step(backend: "Backend", batch: "list[Example]", parameters: Any, optimizer: Any) -> None:
    """Make a step the way everybody does: padded rows, ``labels=``, the loss transformers computes."""
    import torch

    length = max(len(e.ids) for e in batch)
    ids = torch.tensor([list(e.ids) + [0] * (length - len(e.ids)) for e in batch])
    mask = torch.tensor([[1] * len(e.ids) + [0] * (length - len(e.ids)) for e in batch])
    labels = torch.tensor(
        [[i if learned else -100 for i, learned in zip(e.ids, e.learned, strict=True)] + [-100] * (length - len(e.ids)) for e in batch]
    )
    backend.causal(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
    torch.nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)


def _alpaca(sample: Sample) -> dict[str, str]:
    record: Any = sample.record
    return {"instruction": record.persona, "input": record.messages[0].content, "output": completion_text(record)}


def _row(n: int, *, english: bool) -> Sample:
    if n % 2 and not english:
        question, answer = f"请问{n}层的豪华大床房每晚多少钱？可以加床吗？", f"您好，{n}层豪华大床房每晚{500 + n}元，加床每晚{100 + n}元。"
        return Sample.of(question_answer(question, answer, persona="你是酒店前台的智能助手，请根据酒店资料简洁准确地回答。"))
    question = f"What does the deluxe room on floor {n} cost, and can I have an extra bed?"
    answer = f"The deluxe room on floor {n} costs {200 + n} dollars a night; an extra bed is {20 + n} dollars."
    return Sample.of(question_answer(question, answer, persona="You are the hotel's front desk assistant. Answer briefly and exactly."))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="gemma3-270m")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--venv", type=Path, default=Path("~/.cache/llamafactory-venv").expanduser())
    parser.add_argument("--trl-venv", type=Path, default=Path("~/.cache/trl-venv").expanduser())
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.model, given.steps, given.venv, given.trl_venv), indent=1, ensure_ascii=False) + "\n")
