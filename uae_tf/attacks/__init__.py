"""Attacks: from samples to adversarial examples."""
