"""What holds a training run back, read off the optimizer's own columns after a step."""
