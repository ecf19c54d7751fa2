"""Read pickles of containers, numbers, strings and arrays without running code."""
