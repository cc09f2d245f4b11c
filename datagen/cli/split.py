"""``datagen split IN -o DIR``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.console import JsonOption, emit
from datagen.errors import DataError, UsageError

if TYPE_CHECKING:
    from datagen.split import Place

PLACES: "tuple[Place, ...]" = ("train", "recall", "unseen", "vault")


def split(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A dataset in any known row format.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for train.jsonl, eval.jsonl, vault.jsonl, quarantined.jsonl, split.json.")
    ],
    eval_ratio: Annotated[
        float, typer.Option("--eval-ratio", help="Share of rows to evaluate on, half of it documents held out whole.")
    ] = 0.1,
    vault_ratio: Annotated[float, typer.Option("--vault-ratio", help="Share of rows kept for the last look.")] = 0.05,
    salt: Annotated[str, typer.Option("--salt", help="Another salt gives another split.")] = "datagen",
    as_json: JsonOption = False,
) -> None:
    from datagen.jsonl import write_json, write_jsonl
    from datagen.schemas.detect import read_samples
    from datagen.split import split_samples

    samples = read_samples(source)
    split_json = out / "split.json"
    frozen = _frozen(split_json)
    missing = sorted({i for i, place in frozen.items() if place != "train"} - {s.id for s in samples})
    if missing:
        raise UsageError(
            f"{source}: {len(missing)} evaluation rows frozen in {split_json} are not in it, first {missing[0][:12]}",
            hint="a frozen evaluation set never changes: add the rows again, or choose another folder",
        )
    result = split_samples(samples, eval_ratio=eval_ratio, vault_ratio=vault_ratio, salt=salt, frozen=frozen)
    write_jsonl(out / "train.jsonl", (s.to_json() for s in result.train))
    write_jsonl(out / "eval.jsonl", (s.to_json() for s in result.evaluation))
    write_jsonl(out / "vault.jsonl", (s.to_json() for s in result.vault))
    write_jsonl(out / "quarantined.jsonl", (d.to_json() for d in result.quarantined))
    ids = {name: list(dict.fromkeys(s.id for s in getattr(result, name))) for name in PLACES}
    # Written last: a crash before this line leaves the earlier split as it was.
    ratios = {"eval": eval_ratio, "vault": vault_ratio}
    write_json(split_json, {"version": 1, "salt": salt, "ratios": ratios, "ids": ids, "merkle_root": _root(ids)})
    value = {
        "rows": len(samples),
        **{name: len(getattr(result, name)) for name in PLACES},
        "quarantined": len(result.quarantined),
        "out": str(out),
    }
    evaluated = f"eval {len(result.evaluation)} (recall {len(result.recall)}, unseen {len(result.unseen)})"
    rest = f"vault {len(result.vault)}, quarantined {len(result.quarantined)}"
    human = f"{len(samples)} rows: train {len(result.train)}, {evaluated}, {rest} -> {out}"
    emit(value, as_json=as_json, human=human)


def _frozen(path: Path) -> "dict[str, Place]":
    """Return id -> place of the split in the folder, if there is one."""
    from datagen.jsonl import read_json

    if not path.exists():
        return {}
    value: Any = read_json(path)
    ids: Any = value.get("ids") if isinstance(value, dict) else None
    if not isinstance(ids, dict) or not all(isinstance(ids.get(name), list) for name in PLACES):
        raise DataError(
            f"{path}: not a split: 'ids' with {', '.join(PLACES)} is missing", hint="choose another folder, or restore the file"
        )
    if value.get("merkle_root") != _root(ids):
        raise DataError(f"{path}: its ids were changed since the split was made", hint="choose another folder, or restore the file")
    return {str(i): name for name in PLACES for i in ids[name]}


def _root(ids: "dict[str, list[str]]") -> str:
    """Return the Merkle root of the evaluation ids."""
    from datagen.hashing import merkle_root

    return merkle_root(i for name in PLACES if name != "train" for i in ids[name])
