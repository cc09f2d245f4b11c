"""What LLaMA-Factory 0.9.5 does with every row of a dataset, and why."""
