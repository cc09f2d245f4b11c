"""What people look at: the page of an iteration, its pictures, and the figures in the terminal."""
