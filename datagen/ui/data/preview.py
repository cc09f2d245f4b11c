"""What LLaMA-Factory makes of samples before they are registered: its findings, and the text it trains on with the learned tokens marked.

The text is decoded from the very token ids and labels (``datagen.export.llamafactory.tokens``) under the template of a model whose
tokenizer is on this machine: the recipe's model if it is a folder, else the probe's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from datagen.export.formats import to_rows
from datagen.export.llamafactory.registry.entry import read_entry, write_entry
from datagen.export.llamafactory.registry.register import fitting_format
from datagen.export.llamafactory.rules.align import Aligned, Crash
from datagen.export.llamafactory.rules.check import Report, check_rows, default_stage
from datagen.export.llamafactory.rules.converters import converter_of
from datagen.export.llamafactory.rules.stages import judge
from datagen.export.llamafactory.rules.table import build_table
from datagen.export.llamafactory.tokens.check import token_check
from datagen.export.llamafactory.tokens.encode import IGNORED, encode_row
from datagen.schemas.sample import Sample

SHOWN = 3


@dataclass(frozen=True, slots=True)
class TrainingTexts:
    """For each of the first rows (a preference pair gives two), pieces of training text with whether they are learned."""

    template: str
    model: str
    texts: tuple[tuple[tuple[str, bool], ...], ...]


def check_samples(name: str, samples: Sequence[Sample]) -> Report:
    """Predict the fate of every row, as ``datagen validate`` would after registering; three seconds for 100,000 rows.

    Raises:
        DataError: a sample has no form in the rows' format.
    """
    chosen = fitting_format(samples)
    rows = to_rows(samples, chosen)
    entry = read_entry(name, write_entry(f"{name}.json", chosen, tuple(rows[0]), {}))
    return check_rows(rows, entry)


def training_texts(name: str, samples: Sequence[Sample], model: str | Path, *, label: str = "") -> TrainingTexts:
    """Return the training texts of the first rows that are trained on, under a model's template; ``label`` names the model to people.

    Raises:
        UsageError: no tokenizer at ``model``.
        MissingExtra: transformers is not installed.
    """
    chosen = fitting_format(samples)
    rows = to_rows(samples[:SHOWN], chosen)
    entry = read_entry(name, write_entry(f"{name}.json", chosen, tuple(rows[0]), {}))
    stage, converter = default_stage(entry), converter_of(entry)
    check = token_check(model)
    texts: list[tuple[tuple[str, bool], ...]] = []
    for row in build_table(rows, range(1, len(rows) + 1), dates=False).rows:
        if converter is None or stage == "pt":
            break
        try:
            aligned: Aligned = converter(row, entry)
        except Crash:
            continue
        if judge([aligned], stage) != [None]:
            continue
        for encoded in encode_row(aligned, stage, check.how):
            pieces: list[tuple[str, bool]] = []
            pairs = zip(encoded.input_ids, encoded.labels, strict=True)
            for learned, group in groupby(pairs, key=lambda pair: pair[1] != IGNORED):
                pieces.append((check.how.tokenizer.decode([token for token, _ in group]), learned))
            texts.append(tuple(pieces))
    return TrainingTexts(check.template, label or str(model), tuple(texts))
