"""From samples to tensors: text with a completion mask, token ids, batches without padding."""
