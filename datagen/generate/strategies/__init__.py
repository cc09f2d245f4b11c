"""LLM strategies, one file each: prompt version, schema, and what makes a row of an answer."""
