"""One module per table of the paper, and the report."""
