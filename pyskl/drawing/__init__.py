"""Pictures: self-contained pages, charts, and drawings of skeletons."""
