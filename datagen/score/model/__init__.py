"""Scores that need a model: losses of a small local one, or the opinion of a large one. They order a review, they drop nothing."""
