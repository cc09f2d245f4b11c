"""An iteration's probe: the exam, for a campaign also at equal steps, and the vault once the iteration is accepted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.exam import Exam
from datagen.jsonl import read_rows
from datagen.pipeline.progress import Listener
from datagen.probe import ProbeConfig, ProbeProgress, ProbeResult
from datagen.schemas.sample import Sample


class Examination:
    """Compares an iteration's rows with the baseline's (None: with the untrained model) on the frozen exam."""

    def __init__(
        self,
        train: Sequence[Sample],
        exam: Exam,
        *,
        baseline: Path | None,
        config: ProbeConfig,
        runs_dir: Path,
        vault_log: Path,
        out_dir: Path,
        look: int,
        listener: Listener,
    ) -> None:
        self._train, self._config, self._runs_dir, self._vault_log = train, config, runs_dir, vault_log
        self._out_dir, self._look, self._listener = out_dir, look, listener
        self._shown = [s for s in exam.samples if s.tags.get("eval_set") != "vault"]
        self._hidden = [s for s in exam.samples if s.tags.get("eval_set") == "vault"]
        self._baseline: list[Sample] | None = None
        if baseline is not None:
            self._baseline = [Sample.model_validate(row.value) for row in read_rows(baseline)]

    def probe(self, *, control: bool) -> ProbeResult:
        """Compare at the recipe's budget; with ``control`` also with the baseline's rows trained for as many steps."""
        both = control and self._baseline is not None
        return self._run(self._config.model_copy(update={"budget": "both"}) if both else self._config, vault=())

    def open_vault(self, *, control: bool) -> dict[str, Any] | None:
        """Compare on the vault's questions with the adapters that are there; None if the exam has no vault."""
        if not self._hidden:
            return None
        both = control and self._baseline is not None
        result = self._run(self._config.model_copy(update={"budget": "both"}) if both else self._config, vault=self._hidden)
        return result.vault.verdict.model_dump(mode="json") if result.vault else None

    def _run(self, config: ProbeConfig, *, vault: Sequence[Sample]) -> ProbeResult:
        from datagen.probe import run_probe

        return run_probe(
            self._train,
            self._shown,
            baseline=self._baseline,
            config=config,
            runs_dir=self._runs_dir,
            out_dir=self._out_dir,
            look=self._look,
            vault=vault,
            vault_log=self._vault_log,
            # The split has taken leaking rows out, the baseline's when it was made.
            allow_leaks=True,
            on_progress=self._tell,
        )

    def _tell(self, progress: ProbeProgress) -> None:
        left = f" · about {progress.eta_s:.0f} s left" if progress.eta_s else ""
        self._listener.advance(progress.done, progress.total, f"{progress.note}{left}")
