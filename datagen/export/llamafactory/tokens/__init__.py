"""Token lengths, truncation and labels of every row, as LLaMA-Factory makes them with a model's own tokenizer."""
