"""Keras models of the paper."""
