"""``validate``: what LLaMA-Factory 0.9.5 would do with every row of a dataset, before it is trained on.

Every row is kept, dropped, or stops the run; every fate but plain "kept" has a finding with a stable code, a severity, the place, and the
fix. Severities: ``crash`` the whole run stops; ``drop`` LLaMA-Factory leaves the row out; ``bad`` it is trained on, to your harm;
``note`` worth knowing. ``errors`` are crash and drop.

With a :class:`~datagen.export.llamafactory.tokens.check.TokenCheck` also what depends on the model's tokenizer: truncation, control
tokens, thinking blocks. Packing of SFT rows changes no fate.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from datagen.export.findings import Finding, Severity
from datagen.export.llamafactory.registry.entry import Entry
from datagen.export.llamafactory.rules.align import Aligned, Crash, Defect
from datagen.export.llamafactory.rules.converters import converter_of
from datagen.export.llamafactory.rules.quality import quality_findings
from datagen.export.llamafactory.rules.stages import Stage, judge
from datagen.export.llamafactory.rules.table import Table, build_table
from datagen.export.llamafactory.tokens.check import TokenCheck, TokenStats
from datagen.export.row_style import style_mix
from datagen.jsonl import JsonObject


@dataclass(frozen=True, slots=True)
class Report:
    """Fates of one or more datasets; ``rows == kept + dropped + would_crash``. If a file cannot be loaded, all its rows are crashes."""

    rows: int = 0
    kept: int = 0
    dropped: int = 0
    would_crash: int = 0
    findings: tuple[Finding, ...] = ()
    datasets: tuple[str, ...] = ()
    tokens: tuple[TokenStats, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings of severity ``crash`` and ``drop``."""
        return [f for f in self.findings if f.severity in ("crash", "drop")]

    def __add__(self, other: "Report") -> "Report":
        return Report(
            self.rows + other.rows,
            self.kept + other.kept,
            self.dropped + other.dropped,
            self.would_crash + other.would_crash,
            self.findings + other.findings,
            self.datasets + other.datasets,
            self.tokens + other.tokens,
        )

    def to_json(self) -> JsonObject:
        """Return the object ``datagen validate --json`` prints."""
        return {
            "rows": self.rows,
            "kept": self.kept,
            "dropped": self.dropped,
            "would_crash": self.would_crash,
            "errors": len(self.errors),
            "datasets": list(self.datasets),
            "tokens": [stats.to_json() for stats in self.tokens],
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_rows(rows: Sequence[JsonObject], entry: Entry, *, dates: bool = False) -> Report:
    """Predict the fate of rows about to be written under an entry, for the stage it is made for; ``dates``: into a ``.jsonl`` file."""
    return check_table(build_table(rows, range(1, len(rows) + 1), dates=dates), entry, default_stage(entry))


def check_table(table: Table, entry: Entry, stage: Stage, tokens: TokenCheck | None = None) -> Report:
    """Predict the fate of every row of a loaded file under an entry and a stage, and with ``tokens`` its length for a model."""
    gate = _entry_findings(entry, stage)
    blocked = [f for f in gate if f.severity == "crash"]
    n = table.n_rows
    if table.problem:
        p = table.problem
        finding = Finding(entry.name, p.row, p.code, "crash", p.message, p.fix, p.line)
        return Report(n, 0, 0, n, (*gate, finding), (entry.name,))
    converter = converter_of(entry)
    if blocked or converter is None:
        return Report(n, 0, 0, n, tuple(gate), (entry.name,))
    aligned: list[Aligned | Crash] = []
    for row in table.rows:
        try:
            aligned.append(converter(row, entry))
        except Crash as crash:
            aligned.append(crash)
    fates = judge(aligned, stage)
    if tokens and stage != "pt":
        pairs = zip(aligned, fates, strict=True)
        fates = [tokens.stops(row) if fate is None and isinstance(row, Aligned) else fate for row, fate in pairs]
    findings = [*gate, *_fate_findings(entry.name, fates, table.lines)]
    notes = quality_findings(aligned, fates, stage, tokens.control if tokens else None)
    stats: list[TokenStats] = []
    if tokens:
        measured, lengths = tokens.check(entry.name, aligned, fates, stage)
        notes += measured
        stats.append(lengths)
    findings += [
        Finding(entry.name, i if i >= 0 else None, code, severity, message, fix, table.lines[i] if i >= 0 else None)
        for i, code, severity, message, fix in notes
    ]
    if any(isinstance(row, Aligned) and any(row.media) for row in aligned):
        message = "rows carry images, videos or audios: a template of a text-only model stops on them"
        findings.append(Finding(entry.name, None, "needs_multimodal", "note", message, "train a multimodal model with its template"))
    findings += [*_history_findings(table, entry, fates), *_style_findings(table, entry)]
    counts = Counter("kept" if fate is None else "crash" if isinstance(fate, Crash) else "drop" for fate in fates)
    if counts["drop"] == len(fates):
        message = "all rows are dropped: 'Cannot find valid samples, check `data/README.md` for the data format.'"
        findings.append(Finding(entry.name, None, "no_valid_rows", "crash", message, "see the findings of the rows"))
    return Report(n, counts["kept"], counts["drop"], counts["crash"], tuple(findings), (entry.name,), tuple(stats))


def _history_findings(table: Table, entry: Entry, fates: Sequence[Defect | Crash | None]) -> list[Finding]:
    """Name kept rows with an object in their history: LLaMA-Factory unpacks one of two keys into the keys."""
    column = entry.column("history") if entry.formatting == "alpaca" else ""
    message = "an object in history is read as its two keys: their names are trained on, not the texts"
    return [
        Finding(entry.name, i, "history_keys", "bad", message, "write [question, answer] pairs", table.lines[i])
        for i, (row, fate) in enumerate(zip(table.rows, fates, strict=True))
        if column and fate is None and any(isinstance(pair, dict) for pair in row.get(column) or ())
    ]


def _style_findings(table: Table, entry: Entry) -> list[Finding]:
    if entry.formatting != "alpaca" or not entry.column("prompt") or not entry.column("query"):
        return []
    mix = style_mix([{"instruction": row.get(entry.column("prompt")), "input": row.get(entry.column("query"))} for row in table.rows])
    if not mix.mixed:
        return []
    others = mix.task + mix.other
    message = f"{mix.persona} rows have a constant instruction and the question in input, {others} have the question in instruction"
    fix = "use one style: datagen convert --style persona or --style task"
    return [Finding(entry.name, None, "mixed_row_styles", "bad", message, fix)]


def default_stage(entry: Entry) -> Stage:
    """Return the stage an entry is made for: dpo if ranked, kto if it has a label, pt if it only has a prompt, else sft."""
    if entry.ranked:
        return "dpo"
    if entry.column("kto_tag"):
        return "kto"
    return "pt" if set(entry.columns) == {"prompt"} and entry.formatting == "alpaca" else "sft"


def _entry_findings(entry: Entry, stage: Stage) -> list[Finding]:
    found: list[Finding] = []

    def add(code: str, severity: Severity, message: str, fix: str) -> None:
        found.append(Finding(entry.name, None, code, severity, message, fix))

    if converter_of(entry) is None:
        add("formatting", "crash", f"no converter named {entry.formatting!r}", "use formatting 'sharegpt' with all seven tags, or 'alpaca'")
    if entry.formatting == "openai":
        message = "formatting 'openai' adds 'detailed thinking off' to system prompts, and arguments given as text are quoted twice"
        add("formatting_edits", "note", message, "use formatting 'sharegpt' with all seven tags: role, content, user, assistant, ...")
    if not isinstance(entry.ranking, bool):
        add(
            "ranking_not_bool",
            "bad",
            f"ranking is {entry.ranking!r}; it passes every stage and hides the set from lists",
            "write true or false",
        )
    pairwise = stage in ("dpo", "rm")
    if (pairwise and entry.ranking is False) or (not pairwise and entry.ranking is True):
        message = (
            f"'The dataset is not applicable in the current training stage.': ranking is {str(entry.ranking).lower()}, stage is {stage}"
        )
        add("wrong_stage", "crash", message, "choose the stage the set is made for, or set ranking to match")
    for key in entry.unknown_keys:
        hint = "write 'formatting'" if key in ("format", "formating") else "remove it or correct its name"
        add("unknown_key", "note", f"LLaMA-Factory ignores the key '{key}'", hint)
    return found


def _fate_findings(dataset: str, fates: Sequence[Defect | Crash | None], lines: Sequence[int]) -> list[Finding]:
    return [
        Finding(dataset, i, fate.code, "crash" if isinstance(fate, Crash) else "drop", fate.message, fate.fix, lines[i])
        for i, fate in enumerate(fates)
        if fate is not None
    ]
