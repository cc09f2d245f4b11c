"""Refusing a training set and an evaluation set that leak: by every rule, with the rows, the rule, the score, and what to do.

Rows tagged ``recall``, ``gold`` or ``vault`` ask about documents that are trained on, so the evidence behind question and answer may be
shared, while near-duplicate questions and near-duplicate answers may not; rows tagged ``unseen`` share nothing.
"""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from datagen.dedup.leakage.rare import find_rare_sample_overlaps
from datagen.dedup.leakage.rules import Leak
from datagen.dedup.leakage.samples import find_sample_pairs
from datagen.errors import DataError
from datagen.schemas.sample import Sample

SHOWN = 5


class NamedRows(NamedTuple):
    """Samples, and how a message names them: by ``lines`` of the file ``name``, or, without lines, by their number, from 1."""

    samples: Sequence[Sample]
    name: str
    lines: Sequence[int] = ()

    def row(self, i: int) -> str:
        return f"{self.name}:{self.lines[i]}" if self.lines else f"{self.name} row {i + 1}"


def find_set_leaks(train: Sequence[Sample], evaluation: Sequence[Sample], *, shared_evidence: bool = False) -> list[Leak]:
    """Return every leaking pair by any rule, by training row, then evaluation row; of a pair that several rules find, the strongest.

    Args:
        train: training rows.
        evaluation: evaluation rows; see :mod:`datagen.dedup.leakage.rare` for what their tag ``eval_set`` means.
        shared_evidence: every evaluation row may share evidence.
    """
    return find_set_pairs(train, evaluation, shared_evidence=shared_evidence)[0]


def find_set_pairs(
    train: Sequence[Sample], evaluation: Sequence[Sample], *, shared_evidence: bool = False
) -> tuple[list[Leak], list[Leak]]:
    """Return what :func:`find_set_leaks` does, and, for a person to look at, the pairs that a rule finds but that only share a template
    (:mod:`datagen.dedup.leakage.templates`).
    """
    if not train or not evaluation:
        return [], []
    leaks, templates = find_sample_pairs(train, evaluation)
    found = {leak[:2]: leak for leak in find_rare_sample_overlaps(train, evaluation, shared_evidence=shared_evidence)}
    found |= {leak[:2]: leak for leak in leaks}
    for pair in templates:
        found.pop(pair[:2], None)
    return [found[pair] for pair in sorted(found)], templates


def rows_without_leaks(train: Sequence[Sample], evaluations: Sequence[Sequence[Sample]], *, shared_evidence: bool = False) -> list[int]:
    """Return the training rows, ascending, that leak into none of the evaluation sets, together and on their own.

    What counts as rare depends on the training rows: where rows with the same template go, those that stay are looked at again.
    """
    kept = list(range(len(train)))
    while True:
        rows = [train[i] for i in kept]
        leaking = {leak.train_row for part in evaluations for leak in find_set_leaks(rows, part, shared_evidence=shared_evidence)}
        if not leaking:
            return kept
        kept = [i for at, i in enumerate(kept) if at not in leaking]


def refuse_leaks(train: Sequence[NamedRows], evaluations: Sequence[NamedRows], *, override: str) -> None:
    """Refuse training sets that leak into evaluation sets; rows without a tag ``eval_set`` count as ``recall``.

    Args:
        train: one or more training sets.
        evaluations: what they are judged on; empty ones leak nothing.
        override: how the caller is told to go on all the same, such as ``--allow-leaks``.

    Raises:
        DataError: rows leak; the message names training rows, evaluation rows, rule and score, the hint the command that drops them.
    """
    for other in evaluations:
        asked = [s if "eval_set" in s.tags else s.tagged(eval_set="recall") for s in other.samples]
        untagged = not any("eval_set" in s.tags for s in other.samples)
        for own in train:
            leaks = find_set_leaks(own.samples, asked)
            if leaks:
                rows = len({leak.train_row for leak in leaks})
                lines = [f"{own.row(k.train_row)} ~ {other.row(k.eval_row)}: {k.rule}, {k.score:.2f}" for k in leaks[:SHOWN]]
                lines += [f"and {len(leaks) - SHOWN} more pairs"] if len(leaks) > SHOWN else []
                command = f"datagen leak {_file(own, 'TRAIN')} {_file(other, 'EVAL')}{' --shared-evidence' if untagged else ''} -o CLEAN"
                raise DataError(
                    f"{rows} of {len(own.samples)} rows of {own.name} leak into {other.name}:\n  " + "\n  ".join(lines),
                    hint=f"a score on them measures memory; write the rows that do not leak with: {command}; "
                    f"or go on all the same with {override}",
                )


def _file(rows: NamedRows, otherwise: str) -> str:
    return shlex.quote(rows.name) if rows.lines else otherwise
