import numpy as np
import pytest

from uae_tf.models import DenseAutoencoder, SparseAutoencoder


def test_penalties_by_hand(digits):
    x = digits.x_train[:16]
    model = SparseAutoencoder((8, 8, 1), latent_dim=5)
    outputs = model(x).numpy()
    code = model.encoder(x).numpy()
    mean = code.mean(axis=0)
    kl = 0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))
    expected = 1e-7 * (code.sum() + outputs.sum()) + 3.0 * kl.mean()
    model(x)
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)


def test_the_loss_holds_the_penalties_and_mse_does_not(digits):
    x = digits.x_train[:16]
    model = SparseAutoencoder((8, 8, 1), latent_dim=5)
    model.compile(optimizer="adam", loss="mse", metrics=["mse"])
    result = model.evaluate(x, batch_size=16, verbose=0, return_dict=True)
    model(x)
    penalty = float(sum(model.losses))
    assert result["loss"] == pytest.approx(result["mse"] + penalty, rel=1e-4)


def test_same_layers_as_dense():
    sparse, dense = SparseAutoencoder((8, 8, 1)), DenseAutoencoder((8, 8, 1))
    shapes = [[w.shape for w in model.weights] for model in (sparse, dense)]
    assert shapes[0] == shapes[1]


def test_training_makes_the_code_sparse(digits):
    model = SparseAutoencoder((8, 8, 1), latent_dim=16)
    model.compile(optimizer="adam", loss="mse")
    before = float(np.mean(model.encoder(digits.x_test)))
    model.fit(digits.x_train, batch_size=32, epochs=3, verbose=0)
    after = float(np.mean(model.encoder(digits.x_test)))
    assert abs(after - 0.1) < abs(before - 0.1) / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l1": -1e-7}, "l1 must be at least 0"),
        ({"kl_weight": -3}, "kl_weight must be at least 0"),
        ({"sparsity_target": 1.5}, r"must lie in \(0, 1\)"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        SparseAutoencoder((8, 8, 1), **arguments)
