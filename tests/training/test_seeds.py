import keras
import numpy as np

from uae_tf.training.seeds import align_seed_generators


def test_no_epoch_draws_the_masks_of_another():
    dropout = keras.layers.Dropout(0.5, seed=0)
    model = keras.Sequential([keras.Input((64,)), dropout])
    ones = np.ones((1, 64), "float32")
    masks = []
    for epoch in (0, 1, 2, 127, 128, 129, 256, 257, 384, 512):
        align_seed_generators(model, epoch)
        masks += [model(ones, training=True).numpy().tobytes() for _ in range(5)]
    assert len(set(masks)) == len(masks)
