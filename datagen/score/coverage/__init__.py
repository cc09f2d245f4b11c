"""What the rows say of the documents, and what the documents say of the rows: retrieval, coverage, grounding."""
