"""What a probe leaves on disk: finished runs by content hash, and losses from which every verdict is recomputed."""
