"""Training on augmented data."""
