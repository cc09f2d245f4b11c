"""``export``: a dataset for LLaMA-Factory, OpenAI fine-tuning, Hugging Face ``datasets`` or TRL, with what the target would refuse."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from datagen.errors import DataError, UsageError
from datagen.export.findings import Finding
from datagen.export.formats import encode_rows
from datagen.export.huggingface import write_huggingface
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, check_name
from datagen.export.llamafactory.registry.register import register
from datagen.export.llamafactory.rules.table import build_table
from datagen.export.openai_finetuning import openai_findings, openai_rows
from datagen.export.size_advice import SizeAdvice, advise
from datagen.export.trl import has_tools, trl_kind, trl_rows
from datagen.jsonl import JsonObject, write_bytes
from datagen.schemas.sample import Sample

Target = Literal["llamafactory", "openai", "huggingface", "trl"]
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: files by role (``train``, ``eval``, ``README.md``, ...), row counts, and what the target would refuse or harm."""

    to: Target
    files: dict[str, Path]
    train_rows: int
    eval_rows: int
    columns: str
    findings: tuple[Finding, ...]
    advice: tuple[SizeAdvice, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings of severity ``crash`` and ``drop``."""
        return [f for f in self.findings if f.severity in ("crash", "drop")]

    def to_json(self) -> JsonObject:
        return {
            "to": self.to,
            "files": {role: str(path) for role, path in self.files.items()},
            "train_rows": self.train_rows,
            "eval_rows": self.eval_rows,
            "columns": self.columns,
            "findings": [asdict(finding) for finding in self.findings],
            "advice": [advice.to_json() for advice in self.advice],
        }


def export_dataset(
    train: Sequence[Sample],
    out_dir: Path,
    *,
    to: Target,
    eval_: Sequence[Sample] = (),
    name: str = "dataset",
    licence: str = "unknown",
    audit: JsonObject | None = None,
    sources: dict[str, str] | None = None,
    replace: bool = False,
    allow_leaks: bool = False,
) -> Exported:
    """Write a dataset for a target. The same samples give the same bytes.

    Args:
        train: at least one sample, all of one kind.
        out_dir: made if it does not exist.
        to: ``llamafactory`` (a data directory, as ``register`` writes it), ``openai`` (JSONL), ``huggingface`` (parquet and card), ``trl``
            (JSONL).
        eval_: held-out samples; may be empty.
        name: name of the dataset; file names begin with it.
        licence: Hugging Face licence identifier (``apache-2.0``, ``cc-by-4.0``, ...), for the card.
        audit: figures of an audit, for the card.
        sources: sha256 of input files by name, for the card.
        replace: overwrite files of the same name.
        allow_leaks: for ``llamafactory``, train rows that leak into eval rows, too; the others do not look for leaks.

    Raises:
        UsageError: bad name or licence, or a file is there already and ``replace`` is off; nothing is written.
        DataError: no samples, kinds mixed, rows the target cannot hold, or, for ``llamafactory``, train rows that leak into eval rows.
    """
    if not train:
        raise DataError("nothing to export: there are no samples")
    check_name(name)
    if not _LICENCE.fullmatch(licence):
        raise UsageError(f"'{licence}' is no licence identifier", hint="write it as Hugging Face does: apache-2.0, cc-by-4.0, mit, unknown")
    advice = tuple(advise(train))
    if to == "llamafactory":
        done = register(out_dir, name, train, eval_, replace=replace, allow_leaks=allow_leaks)
        files = {"train": done.train_file, "dataset_info": out_dir / FILE_NAME} | ({"eval": done.eval_file} if done.eval_file else {})
        return Exported(to, files, done.train_rows, done.eval_rows, done.format, done.warnings, advice)
    if to == "huggingface":
        splits = {"train": train, "test": eval_}
        _refuse_existing([out_dir / "README.md"], replace)
        files = write_huggingface(out_dir, name, splits, licence=licence, audit=audit, sources=sources or {})
        return Exported(to, files, len(train), len(eval_), trl_kind([*train, *eval_]), (), advice)
    sides = {"train": train} | ({"eval": eval_} if eval_ else {})
    files = {side: out_dir / f"{name}_{side}.jsonl" for side in sides}
    _refuse_existing(list(files.values()), replace)
    findings: list[Finding] = []
    encoded: dict[str, bytes] = {}
    kind, tools = trl_kind([*train, *eval_]), has_tools([*train, *eval_])
    calls: dict[str, bool] = {}
    for side, samples in sides.items():
        rows = openai_rows(samples) if to == "openai" else trl_rows(samples, kind, tools=tools)
        calls[side] = _has_calls(rows)
        encoded[side] = encode_rows(rows, lines=True)
        found = openai_findings(rows, files[side].name, len(encoded[side])) if to == "openai" else _loader_findings(rows, files[side].name)
        # A short eval file is fine with OpenAI; ten rows are asked of the training file only.
        findings += [f for f in found if not (side == "eval" and f.code == "too_few_examples")]
    if to == "trl" and calls.get("eval") and not calls["train"]:
        message = "eval rows call tools and no train row does: the loader takes the messages' fields from the train file, and stops"
        findings.append(Finding(files["eval"].name, None, "late_tool_calls", "crash", message, "train on a row with a call, or move these"))
    for side, data in encoded.items():
        write_bytes(files[side], data)
    return Exported(to, files, len(train), len(eval_), "chat" if to == "openai" else kind, tuple(findings), advice)


def _has_calls(rows: list[JsonObject]) -> bool:
    return any("tool_calls" in message for row in rows for value in row.values() if isinstance(value, list) for message in value)


def _loader_findings(rows: list[JsonObject], name: str) -> list[Finding]:
    """Return what the ``datasets`` loader, which TRL reads files with, stops on."""
    problem = build_table(rows, range(1, len(rows) + 1), dates=True).problem
    return [Finding(name, problem.row, problem.code, "crash", problem.message, problem.fix, problem.line)] if problem else []


def _refuse_existing(paths: list[Path], replace: bool) -> None:
    for path in paths:
        if path.exists() and not replace:
            raise UsageError(f"{path} is there already", hint="overwrite it with --replace, or choose another folder")
