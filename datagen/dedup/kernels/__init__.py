"""The compiled loops, by numba: texts to signatures and shingle sets without a Python string, and verified pairs to clusters."""
