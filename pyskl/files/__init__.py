"""Write, hash, cache and download files."""
