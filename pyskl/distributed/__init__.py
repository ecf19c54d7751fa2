"""The processes of a run: start, exchange, failures, signals."""
