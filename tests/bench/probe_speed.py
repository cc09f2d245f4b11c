"""Speed of the probe's trainer, and proof that its speed-ups leave the loss alone. Run it: ``python tests/bench/probe_speed.py [MODEL]``.

Prints one JSON object: tokens per second training and scoring with packed and padded batches (wall time and CPU time), the largest change
of the mean loss, and the time two probes of 100 and 300 such rows (2 epochs, 3 seeds, 200 questions) would take.
"""

import json
import random
import sys
import time
from collections.abc import Callable

from datagen.probe.config import ProbeConfig
from datagen.probe.data.encode import Example, encode, training_batches
from datagen.probe.models.backend import choose_device, choose_dtype, load_backend, require_torch, reset_adapter
from datagen.probe.models.known import resolve_model
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

ROWS = 24


def measure(model: str) -> dict[str, object]:
    """Time one pass over ``ROWS`` rows for each way of batching."""
    require_torch()
    import torch

    from datagen.probe.train.evaluate import evaluate
    from datagen.probe.train.loop import optimize
    from datagen.probe.train.optimizer import Named, build_optimizer

    config = ProbeConfig(model=model)
    folder = resolve_model(model).prepare(choose_dtype("auto", choose_device()))
    backend = load_backend(folder, config)
    examples = encode([_row(n) for n in range(ROWS)], backend.tokenizer, max_length=config.max_length).examples
    tokens = sum(len(e.ids) for e in examples)
    result: dict[str, object] = {"model": model, "dtype": backend.dtype, "threads": torch.get_num_threads()}
    result["tokens_per_row"] = round(tokens / ROWS, 1)
    losses: list[float] = []
    seconds: dict[str, float] = {}
    for packed in (False, True) if backend.packed else (False,):
        backend.packed = packed
        name = "packed" if packed else "padded"
        parameters = reset_adapter(backend, 0)
        optimizer = build_optimizer(parameters, config)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        batches = training_batches(examples, batch_size=config.batch_size, rng=random.Random(0))

        def train(
            batches: list[list[Example]] = batches,
            parameters: "Named" = parameters,
            optimizer: "torch.optim.Optimizer" = optimizer,
        ) -> float:
            return sum(optimize(backend, b, parameters, optimizer, config) for b in batches) / len(batches)

        def score() -> float:
            return sum(i.nll for i in evaluate(backend, examples, config=config)) / sum(e.n_tokens for e in examples)

        for work, action in (("train", train), ("score", score)):
            value, wall, cpu = _timed(action)
            seconds[f"{work}_{name}"] = wall
            result[f"{work}_{name}_tokens_per_s"] = round(tokens / wall, 1)
            result[f"{work}_{name}_tokens_per_cpu_s"] = round(tokens / cpu, 1)
            if work == "score":
                losses.append(value)
    best = "packed" if "train_packed" in seconds else "padded"
    rows_trained, rows_scored = (100 + 300) * 2 * 3, 200 * 7 + 64 * 6
    result["loss_change"] = max(losses) - min(losses)
    result["two_probes_s"] = round((rows_trained * seconds[f"train_{best}"] + rows_scored * seconds[f"score_{best}"]) / ROWS)
    return result


def _timed(action: Callable[[], float]) -> tuple[float, float, float]:
    action()
    wall, cpu = time.monotonic(), time.process_time()
    value = action()
    return value, time.monotonic() - wall, time.process_time() - cpu


def _row(n: int) -> Sample:
    if n % 2:
        question, answer = f"请问{n}层的豪华大床房每晚多少钱？可以加床吗？", f"您好，{n}层豪华大床房每晚{500 + n}元，加床每晚{100 + n}元。"
        return Sample.of(question_answer(question, answer, persona="你是酒店前台的智能助手，请根据酒店资料简洁准确地回答。"))
    question, answer = f"What does the deluxe room on floor {n} cost?", f"The deluxe room on floor {n} costs {200 + n} dollars a night."
    return Sample.of(question_answer(question, answer, persona="You are the hotel's front desk assistant. Answer briefly and exactly."))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1] if len(sys.argv) > 1 else "gemma3-270m"), indent=2) + "\n")
