"""Export to a TF-Serving model repository."""
