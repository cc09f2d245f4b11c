"""Which runs a probe needs, and who computes the missing ones: this process, several, or Ray."""
