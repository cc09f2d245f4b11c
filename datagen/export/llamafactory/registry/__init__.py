"""LLaMA-Factory data directories: ``dataset_info.json``, its entries, and what is done to them."""
