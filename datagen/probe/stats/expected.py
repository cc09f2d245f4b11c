"""The smallest difference a probe can be expected to find, before it is trained."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from datagen.probe.result import Expected, Sentence
from datagen.probe.stats import estimate as st
from datagen.probe.store.losses import LossRow
from datagen.probe.store.noise import Noise

ASSUMED = Noise(seed_variance=0.075**2, nu=2.0, document_sd=0.6, comparisons=0)
"""Used until a workspace has comparisons of its own, and on the careful side: the first step of the campaign on the example (Gemma 3 270M,
one pass over 100 rows, three seeds, against the untrained model). Its second step, 300 rows against 100, scattered by 0.03 nats a token
between seeds and 0.3 between documents."""


def expect(losses: Sequence[LossRow], *, eval_set: str, seeds: int, alpha: float, noise: Noise | None) -> Expected | None:
    """Return what to expect on an eval set; ``losses`` are the untrained model's. None with fewer than two documents or seeds."""
    own = [r for r in losses if r.final and r.eval_set == eval_set]
    tokens = Counter[str]()
    for row in own:
        tokens[row.document] += row.n_tokens
    if len(tokens) < 2 or seeds < 2:
        return None
    known = noise or ASSUMED
    value = st.expected(
        seed_variance=known.seed_variance,
        seed_nu=known.nu + seeds - 1,
        document_sd=known.document_sd,
        seeds=seeds,
        tokens=np.array([tokens[d] for d in sorted(tokens)], dtype=np.int64),
    )
    mde = value.detectable(alpha)
    source_zh = f"依据此前 {known.comparisons} 次同配置比较" if noise else "本工作区尚无同配置比较，按示例短训练的噪声从宽估计"
    source_en = (
        f"from {known.comparisons} earlier comparisons like it"
        if noise
        else "no comparison like it yet: noise assumed as in short runs on the example, probably too high"
    )
    return Expected(
        eval_set=eval_set,
        mde=mde,
        alpha=alpha,
        seeds=seeds,
        documents=len(tokens),
        seed_sd=known.seed_variance**0.5,
        document_sd=known.document_sd,
        comparisons=known.comparisons,
        sentence=Sentence(
            zh=f"{seeds} 个随机种子、{len(tokens)} 份文档：预计能发现的最小差异约为每个词元 {mde:.3f} nats（{source_zh}）。",
            en=f"{seeds} seeds, {len(tokens)} documents: differences of about {mde:.3f} nats per token can be found ({source_en}).",
        ),
    )
