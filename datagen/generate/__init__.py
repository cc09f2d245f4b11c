"""Generation: documents and chunks in, grounded samples out, by an LLM or by the offline extractive strategy."""
