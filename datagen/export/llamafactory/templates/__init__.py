"""LLaMA-Factory's prompt templates: which one fits a model, and what each writes."""
