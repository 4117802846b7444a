"""Pure tensor maths: projections, divergences, per-sample randomness."""
