"""Data sets as arrays in [0, 1]."""
