"""Checkpoints: written, read, checked, kept, resumed from."""
