"""Reports, comparisons and tables of training runs."""
