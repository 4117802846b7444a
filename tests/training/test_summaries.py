import keras
import numpy as np
import tensorflow as tf

from uae_tf import AugmentedDataset, GaussianNoise, UAECallback
from uae_tf.training.summaries import example_grid


def test_a_picture_has_samples_examples_and_differences_below_each_other():
    x = np.repeat([0.0, 1.0], 4).reshape(2, 2, 2)
    data = AugmentedDataset(x)
    data.set_examples(np.full((1, 2, 2), 0.5), indices=[1])
    # The sample that has an example first; no difference is mid-grey.
    blocks = [[1.0, 0.0], [0.5, 0.0], [0.25, 0.5]]
    expected = np.kron(blocks, np.ones((2, 2)))
    np.testing.assert_array_equal(example_grid(data, 8)[..., 0], expected)


def test_the_picture_is_of_the_copy_that_the_phase_filled(tmp_path):
    x = np.random.default_rng(0).random((9, 4, 4, 1))
    data = AugmentedDataset(x, copies=2)
    callback = UAECallback(
        data, GaussianNoise(0.3), 1, mode="accumulate", log_dir=tmp_path, verbose=0
    )
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=3, callbacks=[callback], verbose=0)
    pictures = [
        tf.io.decode_png(value.tensor.string_val[2]).numpy()
        for path in tmp_path.glob("uae/events*")
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in tf.compat.v1.Event.FromString(record).summary.value
        if "difference" in value.tag
    ]
    # The first phase filled the first copy, the second the second.
    for copy, picture in enumerate(pictures):
        grid = example_grid(data, 8, copy)
        np.testing.assert_array_equal(picture, np.round(grid * 255).astype("uint8"))
    assert len(pictures) == 2
