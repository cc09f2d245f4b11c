"""Talking to models: base, adapters and checkpoints answer the same question; people vote blind; one of them is served."""
