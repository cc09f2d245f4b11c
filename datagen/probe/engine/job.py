"""A probe's runs: what each is made of, under which key it lies on disk, and the model they share.

Torch is imported only by :meth:`Job.load`; a job without its loaded model can be sent to another process.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from datagen.errors import UsageError
from datagen.probe.config import ProbeConfig
from datagen.probe.models.catalogue import Dtype
from datagen.probe.models.known import ModelSource, resolve_model
from datagen.probe.progress import OnProgress, ProbeProgress
from datagen.probe.result import ArmName
from datagen.probe.store import runs
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.data.encode import Encoded
    from datagen.probe.models.backend import Backend
    from datagen.probe.train.objective import References

BASE: Literal["base"] = "base"


class RunSpec(NamedTuple):
    """One run: an arm's rows, a seed, a number of steps, a peak learning rate. The untrained model is arm ``base``, seed -1, 0 steps."""

    arm: ArmName | Literal["base"]
    seed: int
    steps: int
    learning_rate: float


class Comparison(NamedTuple):
    """Both arms at one learning rate under one budget; ``epochs`` gives each its own number of steps, ``steps`` the larger one's."""

    learning_rate: float
    budget: Literal["epochs", "steps"]


@dataclass(slots=True)
class Job:
    """One probe while it runs: samples by arm (``exam`` apart), settings, places, and progress."""

    arms: dict[ArmName, list[Sample]]
    exam: list[Sample]
    config: ProbeConfig
    runs_dir: Path
    source: ModelSource
    dtype: Dtype
    device: str
    on_progress: OnProgress | None = None
    done: int = 0
    total: int = 0
    computed: int = 0
    started: float = 0.0
    backend: "Backend | None" = None
    encoded: "dict[str, Encoded]" = field(default_factory=dict[str, "Encoded"])
    referenced: "dict[str, References]" = field(default_factory=dict[str, "References"])
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def runs_of(self, comparison: Comparison) -> list[RunSpec]:
        """List a comparison's runs, seed by seed, so that an interrupted probe has whole pairs."""
        steps = {name: self.config.steps_for(len(rows)) for name, rows in self.arms.items()}
        if comparison.budget == "steps":
            steps = dict.fromkeys(steps, max(steps.values()))
        return [
            RunSpec(name, seed, steps[name], comparison.learning_rate) for seed in range(self.config.seeds) for name in self.arms
        ]

    def config_of(self, spec: RunSpec) -> ProbeConfig:
        """Return the settings a run is trained with."""
        return self.config.model_copy(update={"learning_rate": spec.learning_rate})

    def key(self, spec: RunSpec) -> str:
        """Return the hash of everything that determines a run."""
        return runs.run_key(
            model_sha256=self.source.sha256,
            dtype=self.dtype,
            device=self.device,
            config=self.config_of(spec),
            steps=spec.steps,
            rows="" if spec.arm == BASE else self.data_key(spec.arm),
            exam=self.data_key("exam"),
            seed=spec.seed,
        )

    def folder(self, spec: RunSpec) -> Path:
        return self.runs_dir / self.key(spec)

    def samples(self, name: str) -> Sequence[Sample]:
        return self.exam if name == "exam" else self.arms[name]  # type: ignore[index]

    def data_key(self, name: str) -> str:
        if name not in self.keys:
            self.keys[name] = runs.data_key(self.samples(name))
        return self.keys[name]

    def note(self, text: str) -> None:
        """Tell whoever listens what is done now."""
        if self.on_progress:
            elapsed = time.monotonic() - self.started
            eta = elapsed / self.computed * (self.total - self.done) if self.computed else None
            self.on_progress(ProbeProgress(self.done, self.total, eta, text))

    def load(self) -> "Backend":
        """Load the model, once."""
        if self.backend is None:
            from datagen.probe.models.backend import load_backend

            self.note(f"loading {self.source.name}")
            folder = self.source.prepare(self.dtype, on_note=self.note)
            self.backend = load_backend(folder, self.config, device=self.device)
            self.started = time.monotonic()
        return self.backend

    def encode(self, name: str) -> "Encoded":
        """Tokenise an arm's rows or the exam, once."""
        if name not in self.encoded:
            from datagen.probe.data.encode import encode

            config = self.config
            self.encoded[name] = encode(self.samples(name), self.load().tokenizer, max_length=config.max_length, stage=config.stage)
        return self.encoded[name]

    def references(self, *names: str) -> "References | None":
        """Return the untrained model's losses of these sets' preferences, from disk if they were computed before; None but for ``dpo``."""
        if self.config.stage != "dpo":
            return None
        found: dict[str, tuple[float, float]] = {}
        for name in names:
            if name not in self.referenced:
                self.referenced[name] = runs.stored_references(self._reference_path(name)) or self._score_references(name)
            found.update(self.referenced[name])
        return found

    def to_send(self) -> "Job":
        """Return a copy another process can be given: without model, tensors and listener."""
        return replace(self, on_progress=None, backend=None, encoded={}, referenced={})

    def _reference_path(self, name: str) -> Path:
        key = runs.run_key(
            model_sha256=self.source.sha256, dtype=self.dtype, device=self.device, config=self.config, steps=0, rows="", exam="", seed=-1
        )
        return self.runs_dir / "references" / f"{key}-{self.data_key(name)[:24]}.json"

    def _score_references(self, name: str) -> "References":
        from datagen.probe.train.evaluate import reference_losses

        backend, examples = self.load(), self.encode(name).examples
        self.note(f"scoring preferences with the untrained model ({name})")
        found = reference_losses(backend, examples, config=self.config)
        runs.store_references(self._reference_path(name), found)
        return found


def plan(
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    baseline: Sequence[Sample] | None,
    config: ProbeConfig,
    runs_dir: Path,
    on_progress: OnProgress | None,
) -> Job:
    """Check the inputs and resolve model, device and dtype.

    Raises:
        UsageError: an arm or the exam is empty, or the model does not exist.
        MissingExtra: torch, transformers or peft is not installed.
    """
    from datagen.probe.models.backend import choose_device, choose_dtype, require_torch

    exam = distinct([s for s in eval_ if s.tags.get("eval_set") != "vault"])
    arms: dict[ArmName, list[Sample]] = {"new": distinct(train)}
    if baseline is not None:
        arms = {"baseline": distinct(baseline), **arms}
    named: list[tuple[str, list[Sample]]] = [*arms.items(), ("exam", exam)]
    for name, samples in named:
        if not samples:
            raise UsageError(f"the {name} set has no rows", hint="a probe needs at least one training row and one eval question")
    source = resolve_model(config.model)
    require_torch()
    device = choose_device()
    job = Job(arms, exam, config, runs_dir, source, choose_dtype(config.dtype, device), device, on_progress)
    job.started = time.monotonic()
    return job


def comparisons(config: ProbeConfig, *, robust: bool) -> list[Comparison]:
    """List what is compared, the one the verdict is read on first."""
    rate = config.learning_rate
    first = Comparison(rate, "steps" if config.budget == "steps" else "epochs")
    found = [first]
    if config.budget == "both" or robust:
        found.append(Comparison(rate, "epochs" if first.budget == "steps" else "steps"))
    if robust:
        found += [Comparison(rate / 3, "epochs"), Comparison(rate / 3, "steps")]
    return found


def missing(job: Job, specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the runs that are not finished on disk, each once, in order."""
    wanted: dict[str, RunSpec] = {job.key(s): s for s in specs}
    return [s for s in wanted.values() if runs.load_info(job.folder(s)) is None]


def distinct(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the first of samples with equal ids: a repeated exam question would be counted twice in every mean."""
    return list({s.id: s for s in reversed(samples)}.values())[::-1]
