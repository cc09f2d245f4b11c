"""Where runs are computed: in this process, in several of this machine, or on Ray; and how many at once."""

import os
from pathlib import Path
from typing import Literal, NamedTuple

Engine = Literal["auto", "serial", "processes", "ray"]
_WORTH_A_PROCESS = 64 << 20
"""Bytes of weights below which starting a process (import, load, checks: 10 s) takes longer than it gains."""
_BESIDE_WEIGHTS = 2 << 30
"""Bytes a training process needs besides three times its weights (Gemma-270M in bfloat16: 3.4 GB in all, 2,048 tokens a batch)."""


class Place(NamedTuple):
    """``threads`` is what each worker computes with on CPUs; 0 leaves it to torch."""

    engine: Literal["serial", "processes", "ray"]
    workers: int
    threads: int
    device: str

    def environment(self, number: int) -> dict[str, str]:
        """Return what worker ``number`` must find in its environment: a GPU of its own, or its share of the cores."""
        if self.device == "cuda":
            return {"CUDA_VISIBLE_DEVICES": _visible_gpu(number)}
        return {"OMP_NUM_THREADS": str(self.threads)}


def choose_place(engine: Engine, workers: int | None, *, device: str, weights: Path, runs: int) -> Place:
    """Decide who computes ``runs`` runs of the model whose folder is ``weights``.

    ``auto`` takes several processes where that is faster: one a GPU if there are several; on CPUs one a core, as far as memory goes (two
    steps of one thread each take less time than one step after the other on two threads), but for models so small that loading costs
    more. It depends on the machine and the plan, not on what is left to do: a probe that goes on computes with the same number of
    threads.
    """
    cores = _cores()
    if engine == "ray":
        return Place("ray", workers or max(1, min(_gpus() if device == "cuda" else cores, runs)), 1, device)
    if device == "cuda":
        most = workers or min(_gpus(), runs)
    else:
        most = workers or min(cores, runs, max(1, _memory() // (_BESIDE_WEIGHTS + 3 * weight_bytes(weights))))
    if engine == "serial" or (engine == "auto" and (most < 2 or weight_bytes(weights) < _WORTH_A_PROCESS)):
        return Place("serial", 1, 0, device)
    return Place("processes", max(1, most), max(1, cores // max(1, most)), device)


def weight_bytes(folder: Path) -> int:
    """Return how large a model folder's weights are."""
    return sum(p.stat().st_size for pattern in ("*.safetensors", "*.bin") for p in folder.glob(pattern))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> int:
    import torch

    return max(1, torch.cuda.device_count())


def _memory() -> int:
    """Return the bytes of memory of this machine, or of this container if it has fewer."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.is_file() else ""
    return min(whole, int(text)) if text.isdigit() else whole


def _visible_gpu(number: int) -> str:
    """Return the name of the n-th GPU this process may use: those listed in CUDA_VISIBLE_DEVICES, or all."""
    listed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return listed[number] if listed else str(number)
