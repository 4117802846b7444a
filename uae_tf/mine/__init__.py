"""Per-sample mutual information between x and x + delta."""
