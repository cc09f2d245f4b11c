"""``datagen leak TRAIN EVAL``."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit

SHOWN = 20


def leak(
    train: Annotated[Path, typer.Argument(help="The training rows, in any known row format.")],
    evaluation: Annotated[Path, typer.Argument(metavar="EVAL", help="The evaluation rows, in any known row format.")],
    as_json: JsonOption = False,
) -> None:
    from datagen.dedup.leakage import find_sample_leaks
    from datagen.schemas.detect import read_samples

    trained, evaluated = read_samples(train), read_samples(evaluation)
    leaks = find_sample_leaks(trained, evaluated)
    rows = len({hit.train_row for hit in leaks})
    lines = [f"{rows} of {len(trained)} training rows leak into {len(evaluated)} evaluation rows (rows count from 0)"]
    lines += [f"train row {hit.train_row} ~ eval row {hit.eval_row}: {hit.rule}, {hit.score:.2f}" for hit in leaks[:SHOWN]]
    if len(leaks) > SHOWN:
        lines.append(f"and {len(leaks) - SHOWN} more; --json lists all")
    value = {
        "train_rows": len(trained),
        "eval_rows": len(evaluated),
        "leaks": [{"train_row": h.train_row, "eval_row": h.eval_row, "rule": h.rule, "score": round(h.score, 4)} for h in leaks],
    }
    emit(value, as_json=as_json, human="\n".join(lines))
    if leaks:
        raise typer.Exit(1)
