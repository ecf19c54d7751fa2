"""What runs a model: the loop, checkpoints, schedules, logs, processes."""
