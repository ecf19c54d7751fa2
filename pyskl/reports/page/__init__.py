"""Reports of runs as one HTML page or as pictures, made from a ``ReportContent``."""
