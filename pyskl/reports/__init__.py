"""What runs made of themselves: reports, comparisons, tables."""
