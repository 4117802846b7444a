"""The callback beside what else `fit` offers: precision, steps, other callbacks."""

import warnings

import keras
import numpy as np
import pytest

from uae_tf.training import AugmentedDataset, UAECallback


@pytest.mark.parametrize(
    ("steps_per_execution", "policy"), [(3, "float32"), (1, "mixed_bfloat16")]
)
def test_steps_per_execution_and_mixed_precision(
    conv_autoencoder, short_attack, images, steps_per_execution, policy
):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = conv_autoencoder(steps_per_execution=steps_per_execution)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    data = AugmentedDataset(images, batch_size=10)
    attack = short_attack(model)
    callback = UAECallback(data, attack, phase_epochs=1)
    history = model.fit(data, epochs=3, callbacks=[callback], verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) == 3 * len(data)
    assert data.examples.dtype == np.float32
    assert callback.history[1].success_rate > 0
    assert attack.num_traces == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_any_order_of_callbacks(
    conv_autoencoder, short_attack, images, tmp_path, order
):
    model = conv_autoencoder()
    data = AugmentedDataset(images, batch_size=16)
    ours = UAECallback(
        data, short_attack(model), 2, state_path=tmp_path / "uae.json", verbose=0
    )
    others = [
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9),
        keras.callbacks.TensorBoard(tmp_path / "logs"),
    ]
    callbacks = [[ours], others[:2], others[2:]]
    callbacks = [c for place in order for c in callbacks[place]]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model failed to serialize as JSON")
        history = model.fit(data, epochs=9, callbacks=callbacks, verbose=0)
    assert len(history.epoch) == 2
    loaded = keras.models.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert len(model.fit(data, epochs=3, callbacks=[ours], verbose=0).epoch) == 3
    assert [record.epoch for record in ours.history] == [2, 4]
