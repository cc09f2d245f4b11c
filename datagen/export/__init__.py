"""Writing datasets: row files and LLaMA-Factory data directories."""
