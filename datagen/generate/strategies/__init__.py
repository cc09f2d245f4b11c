"""LLM strategies, one file each."""
