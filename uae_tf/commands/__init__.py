"""Commands that are long to declare, one module each; `uae_tf.cli` lists them."""
