"""Files on the disk: whole or absent, hashed, cached, downloaded."""
