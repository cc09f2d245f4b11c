"""Training configurations for LLaMA-Factory, TRL, Axolotl and Unsloth from the same facts."""
