"""One training run: forward pass, optimizer, schedule, evaluations on the way. Its modules import torch at the top: import them lazily."""
