"""What a trained model writes: greedy answers and their scores."""
