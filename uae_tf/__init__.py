"""Unsupervised adversarial examples for Keras."""
