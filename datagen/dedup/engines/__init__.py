"""From rows to verified clusters: candidates, verification, and where both run: this machine's cores, its disk, or a cluster."""
