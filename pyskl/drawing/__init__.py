"""Self-contained HTML pages, charts, and drawings of skeletons."""
