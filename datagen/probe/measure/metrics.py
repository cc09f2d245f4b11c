"""Scores of written answers against references: exact match, character F1, chrF, ROUGE, BLEU-4 and format validity.

ROUGE and BLEU-4 are what LLaMA-Factory's ``predict`` reports, also for Chinese: ROUGE (F) over jieba's words by ``rouge_chinese``, BLEU-4
over characters by nltk's sentence BLEU with smoothing method 3, each rounded to four decimals and averaged over answers.
Source: hiyouga/LLaMA-Factory: src/llamafactory/train/sft/metric.py ComputeSimilarity (0.9.5). chrF: sacrebleu, over all answers.
"""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from datagen.errors import MissingExtra
from datagen.probe.result import AnswerScores
from datagen.probe.store.texts import Written


def score_answers(answers: Sequence[Written], references: Sequence[str]) -> AnswerScores:
    """Score answers against references of the same length; see the module's docstring.

    Raises:
        ValueError: no answers, or not as many references.
    """
    if not answers or len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers for {len(references)} references")
    try:
        import jieba  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import nltk  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import rouge_chinese  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import sacrebleu
    except ImportError as error:
        raise MissingExtra.of("scoring answers", "probe") from error
    pairs = [(a.text, r) for a, r in zip(answers, references, strict=True)]
    rouge = [_rouge(*pair) for pair in pairs]
    return AnswerScores(
        answers=len(pairs),
        exact_match=_mean([float(a.strip() == r.strip()) for a, r in pairs]),
        char_f1=_mean([char_f1(a, r) for a, r in pairs]),
        chrf=float(sacrebleu.corpus_chrf([a for a, _ in pairs], [[r for _, r in pairs]]).score),
        rouge_1=_mean([r["rouge-1"] for r in rouge]),
        rouge_2=_mean([r["rouge-2"] for r in rouge]),
        rouge_l=_mean([r["rouge-l"] for r in rouge]),
        bleu_4=_mean([_bleu(*pair) for pair in pairs]),
        format_valid=_mean([float(format_valid(a, r)) for a, r in zip(answers, references, strict=True)]),
    )


def char_f1(answer: str, reference: str) -> float:
    """Return the F1 of the two texts' characters as multisets, white space left out, in [0, 1]; 1 for two empty texts."""
    one, two = (Counter(c for c in text if not c.isspace()) for text in (answer, reference))
    if not one and not two:
        return 1.0
    common = (one & two).total()
    return 2 * common / (one.total() + two.total())


def format_valid(answer: Written, reference: str) -> bool:
    """Say whether an answer is of the reference's form: it ended by itself, is not empty, and where the reference is a JSON object or
    array, is one too, with the same keys."""
    if not answer.ended or not answer.text.strip():
        return False
    expected = _json(reference)
    if not isinstance(expected, dict | list):
        return True
    found = _json(answer.text)
    if isinstance(expected, dict):
        return isinstance(found, dict) and set(found) == set(expected)
    return isinstance(found, list)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _rouge(answer: str, reference: str) -> dict[str, float]:
    hypothesis, target = (" ".join(_words(text)) for text in (answer, reference))
    if not hypothesis.split() or not target.split():
        return {"rouge-1": 0.0, "rouge-2": 0.0, "rouge-l": 0.0}
    from rouge_chinese import Rouge

    scores: Any = Rouge().get_scores(hypothesis, target)[0]
    return {name: round(value["f"] * 100, 4) for name, value in scores.items()}


def _bleu(answer: str, reference: str) -> float:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    bleu: Any = sentence_bleu
    return round(float(bleu([list(reference)], list(answer), smoothing_function=SmoothingFunction().method3)) * 100, 4)


def _words(text: str) -> list[str]:
    words: Any = _jieba()
    return list(words.cut(text))


@cache
def _jieba() -> Any:
    """Load jieba's dictionary quietly, with its cache in the user's own folder: by default it trusts a file in the shared /tmp."""
    import jieba

    folder = Path(platformdirs.user_cache_dir("datagen")) / "jieba"
    folder.mkdir(parents=True, exist_ok=True)
    module: Any = jieba
    module.setLogLevel(logging.WARNING)
    module.dt.tmp_dir = str(folder)
    return module


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
