"""Which model a probe trains, where it comes from, and the model loaded with its adapter layers."""
