"""Rows that say the same in other words, by embeddings: for a person to look at, since embeddings cannot tell one price from another."""

from datagen.dedup.semantic.embedders import Embedder, open_embedder
from datagen.dedup.semantic.pairs import SemanticPair, ThresholdStep, explain_threshold, find_semantic_pairs

__all__ = ["Embedder", "SemanticPair", "ThresholdStep", "explain_threshold", "find_semantic_pairs", "open_embedder"]
