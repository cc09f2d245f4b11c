"""Helpers for tests, shipped so that users can test their recipes and code the same way."""
