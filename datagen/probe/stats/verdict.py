"""From stored losses to the four verdicts, pure numpy.

BETTER: the interval lies below 0. WORSE: above 0. EQUIVALENT: the 90 % interval lies inside +-delta. INCONCLUSIVE: none of these, with
what would settle it. A significant difference inside +-delta is still BETTER or WORSE: it is real, only small, and its size is shown.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

import numpy as np

from datagen.probe.result import Decision, Sentence, Verdict
from datagen.probe.stats import estimate as st
from datagen.probe.stats.sentences import verdict_sentence
from datagen.probe.store.losses import LossRow

Metric = Literal["nll", "fact_nll"]
SETTLE_MAX = 50
"""More seeds, or more than this many times the documents, than this are no advice anyone would follow."""


class Rules(NamedTuple):
    """What a verdict needs besides losses: smallest effect of interest (nats per token), campaign alpha, look number."""

    delta: float
    alpha_level: float
    look: int


SliceKind = Literal["language", "folder"]
KINDS: dict[SliceKind, Callable[[LossRow], str]] = {
    "language": lambda row: row.language,
    "folder": lambda row: "" if _names_no_document(row) else str(PurePosixPath(row.document).parent),
}
"""What a slice is: the language of the answer, or the folder (family) of the document the question is about ('' without a document)."""


class Slice(NamedTuple):
    """A part of an eval set, all questions of one language or about one folder of documents."""

    kind: SliceKind
    value: str

    def holds(self, row: LossRow) -> bool:
        return KINDS[self.kind](row) == self.value


class Settle(NamedTuple):
    """What would settle an inconclusive comparison: so many seeds, or so many documents; None where that alone would not. With a
    single seed or document it is what a verdict needs at least, both where both are single."""

    seeds: int | None
    documents: int | None


class Prior(NamedTuple):
    """Seed variance (nats per token, squared) of earlier comparisons, and its degrees of freedom."""

    variance: float
    nu: float


def compare(
    rows: Sequence[LossRow],
    *,
    baseline: str,
    new: str,
    eval_set: str,
    rules: Rules,
    part: Slice | None = None,
    metric: Metric = "nll",
    prior: Prior | None = None,
) -> Verdict | None:
    """Compare two arms on one eval set, or on a part of it; None if there are no questions (or no such tokens).

    Seeds are paired by number; the untrained model (arm ``base``) has none and is paired with every seed.
    """
    chosen = [r for r in rows if r.final and r.eval_set == eval_set and (part is None or part.holds(r)) and _tokens(r, metric) > 0]
    old, fresh = _by_seed(chosen, baseline, metric), _by_seed(chosen, new, metric)
    seeds = sorted(fresh) if baseline == "base" else sorted(set(old) & set(fresh))
    if not seeds or not old:
        return None
    first = fresh[seeds[0]]
    ids = sorted(first)
    if not ids:
        return None
    meta = {r.example_id: r for r in chosen}
    tokens = np.array([_tokens(meta[i], metric) for i in ids], dtype=np.int64)
    after = np.array([[fresh[s][i] for i in ids] for s in seeds])
    before = np.array([[old[-1 if baseline == "base" else s][i] for i in ids] for s in seeds])
    data = st.pair(before, after, tokens, [meta[i].document for i in ids])
    return _judge(
        data,
        rules,
        eval_set=eval_set,
        slice_=f"{part.kind}={part.value}" if part else "",
        metric=metric,
        compared=f"{new} - {baseline}",
        baseline_loss=float(before.sum() / tokens.sum() / len(seeds)),
        new_loss=float(after.sum() / tokens.sum() / len(seeds)),
        prior=prior,
    )


def decide(value: st.Estimate, *, delta: float, alpha: float) -> Decision:
    """Apply the four rules; fewer than 2 seeds or 2 documents are always INCONCLUSIVE."""
    if value.seeds < 2 or value.documents < 2:
        return "INCONCLUSIVE"
    half = value.half_width(alpha)
    if value.delta + half < 0:
        return "BETTER"
    if value.delta - half > 0:
        return "WORSE"
    return "EQUIVALENT" if abs(value.delta) + value.half_width(0.1) < delta else "INCONCLUSIVE"


def settle(value: st.Estimate, *, delta: float, alpha: float) -> Settle:
    """Say how many seeds, or documents, would settle it if Delta stays what it is.

    An effect of at least ``delta`` should become significant; a smaller one should be shown to be equivalent.
    """
    if value.seeds < 2 or value.documents < 2:
        return Settle(3 if value.seeds < 2 else None, 5 if value.documents < 2 else None)
    room = abs(value.delta) if abs(value.delta) >= delta else delta - abs(value.delta)
    level = alpha if abs(value.delta) >= delta else 0.1
    wanted = (room / st.t_quantile(1 - level / 2, max(value.nu, 4.0))) ** 2
    seeds = documents = None
    if wanted > value.document_variance:
        seeds = max(value.seeds + 1, ceil(value.seed_variance / (wanted - value.document_variance)))
    rest = wanted - value.seed_variance / value.seeds
    if rest > 0:
        documents = max(value.documents + 1, ceil(value.documents * value.document_variance / rest))
    return Settle(
        seeds if seeds is not None and seeds <= SETTLE_MAX else None,
        documents if documents is not None and documents <= SETTLE_MAX * value.documents else None,
    )


def slices(rows: Sequence[LossRow], *, baseline: str, new: str, rules: Rules) -> list[Verdict]:
    """Compare on every language, and on every folder of documents, of every eval set that has more than one.

    Languages and folders are two families of hypotheses: Holm decides over all slices of a kind together. A folder with fewer than two
    documents could give no verdict and is left out; so are questions that name no document.
    """
    found: list[Verdict] = []
    for kind in KINDS:
        family = [
            v
            for eval_set in sorted({r.eval_set for r in rows})
            for part in _parts([r for r in rows if r.eval_set == eval_set], kind)
            if (v := compare(rows, baseline=baseline, new=new, eval_set=eval_set, rules=rules, part=part)) is not None
        ]
        adjusted = st.holm([v.p for v in family])
        found += [_holm(v, p) for v, p in zip(family, adjusted, strict=True)]
    return found


def _parts(rows: Sequence[LossRow], kind: SliceKind) -> list[Slice]:
    documents: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        documents[KINDS[kind](row)].add(row.document)
    names = [name for name in sorted(documents) if kind == "language" or (name and len(documents[name]) > 1)]
    return [Slice(kind, name) for name in names] if len(documents) > 1 else []


def _holm(verdict: Verdict, p: float) -> Verdict:
    """A slice's own interval stays; its verdict must also survive Holm."""
    if verdict.verdict in ("BETTER", "WORSE") and p >= verdict.alpha:
        update: dict[str, object] = {"p": p, "verdict": "INCONCLUSIVE"}
        sentence = Sentence(
            zh="多个切片同时比较（Holm 校正）后，差异不再显著。", en="Not significant after Holm's correction over all slices."
        )
        return verdict.model_copy(update={**update, "sentence": sentence})
    return verdict.model_copy(update={"p": p})


def _judge(
    data: st.Paired,
    rules: Rules,
    *,
    eval_set: str,
    slice_: str,
    metric: Metric,
    compared: str,
    baseline_loss: float,
    new_loss: float,
    prior: Prior | None,
) -> Verdict:
    alpha = st.spent_alpha(rules.alpha_level, rules.look)
    value = st.estimate(data, prior_variance=prior.variance, prior_nu=prior.nu) if prior else st.estimate(data)
    half = value.half_width(alpha)
    decision = decide(value, delta=rules.delta, alpha=alpha)
    advice = settle(value, delta=rules.delta, alpha=alpha) if decision == "INCONCLUSIVE" else None
    return Verdict(
        eval_set=eval_set,
        slice=slice_,
        metric=metric,
        compared=compared,
        delta=value.delta,
        low=value.delta - half,
        high=value.delta + half,
        verdict=decision,
        baseline_loss=baseline_loss,
        new_loss=new_loss,
        seeds=value.seeds,
        documents=value.documents,
        items=data.items,
        tokens=data.tokens,
        look=rules.look,
        alpha=alpha,
        mde=value.detectable(alpha),
        p=st.two_sided_p(value),
        sentence=verdict_sentence(
            decision,
            value,
            half=half,
            delta=rules.delta,
            baseline=baseline_loss,
            new=new_loss,
            untrained=compared.endswith("- base"),
            settle=advice,
        ),
        warnings=tuple(_cross_check(data, value, alpha=alpha, half=half)),
        seed_sd=value.sample_variance**0.5,
        document_sd=value.document_sd,
        prior_sd=prior.variance**0.5 if prior else None,
        prior_nu=prior.nu if prior else 0.0,
    )


def _cross_check(data: st.Paired, value: st.Estimate, *, alpha: float, half: float) -> list[str]:
    """Compare the interval with a two-way bootstrap and a sign-flip permutation test; say where they disagree."""
    warnings: list[str] = []
    if value.seeds < 2:
        warnings.append("one seed says nothing about the noise between runs: no verdict is given")
    if value.documents < 2:
        warnings.append("all questions are about one document: no verdict is given")
    if value.seeds < 2 or value.documents < 2 or value.variance == 0:
        return warnings
    significant = abs(value.delta) > half
    low, high = st.bootstrap_interval(data, alpha)
    if significant and low <= 0 <= high:
        warnings.append(f"the bootstrap interval [{low:+.4f}, {high:+.4f}] contains 0, the t interval does not")
    p = st.permutation_p(data)
    if significant and p > alpha:
        reason = f"; {value.documents} documents cannot give less than {2 / 2**value.documents:.3f}" if value.documents <= 12 else ""
        warnings.append(f"the sign-flip permutation test gives p = {p:.3f}, above {alpha:.3f}{reason}")
    if value.documents < 5:
        warnings.append(f"only {value.documents} documents: the interval is wide and rests on few clusters")
    return warnings


def _by_seed(rows: Sequence[LossRow], arm: str, metric: Metric) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row.arm == arm:
            found[row.seed][row.example_id] = row.nll if metric == "nll" else row.fact_nll
    return dict(found)


def _names_no_document(row: LossRow) -> bool:
    """A question without a document is its own cluster, under its own id (a piece of a text: ``id#n``)."""
    return row.document in ("", row.example_id.partition("#")[0])


def _tokens(row: LossRow, metric: Metric) -> int:
    return row.n_tokens if metric == "nll" else row.fact_tokens
