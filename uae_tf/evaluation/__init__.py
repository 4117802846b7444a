"""Measures of models and of adversarial examples."""
