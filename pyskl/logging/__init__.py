"""Messages, metrics and experiment trackers."""
