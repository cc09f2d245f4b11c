"""From losses to verdicts: estimator, decision, words. Numpy and scipy only, no torch."""
