"""Write, read and check checkpoints, and choose which to keep."""
