"""Recipes and their runs: from documents to a manifest, iteration after iteration."""
