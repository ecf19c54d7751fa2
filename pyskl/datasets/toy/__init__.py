"""Synthetic actions that need no download."""
