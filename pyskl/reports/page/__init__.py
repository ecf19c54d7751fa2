"""Reports of runs as one HTML page or as pictures; nothing in here reads a run."""
