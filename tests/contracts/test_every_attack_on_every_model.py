"""What holds for every attack, whatever the model it attacks.

All runs of a case share one compiled function: its result comes from a full and from a
padded batch.
"""

import numpy as np
import tensorflow as tf

from uae_tf import AttackResult, Reconstruction

FIELDS = ("examples", "success", "similarity", "criterion", "l2", "linf", "is_finite")


def assert_same(received, expected, rows=slice(None), exact=True):
    for field in FIELDS:
        ours, theirs = getattr(received, field), getattr(expected, field)[rows]
        if exact:
            np.testing.assert_array_equal(ours, theirs, err_msg=field)
        else:
            np.testing.assert_allclose(
                ours, theirs, rtol=1e-4, atol=1e-4, err_msg=field
            )


def limits(case):
    """L-infinity and L2 radius of the case's attack."""
    epsilon = getattr(case.attack, "epsilon", np.inf)
    is_l2 = getattr(case.attack, "norm", "linf") == "l2"
    is_l2 |= case.attack_name == "virtual-adversarial"
    return epsilon, epsilon if is_l2 else np.inf


def test_shapes_and_dtypes(case):
    result = case.result
    assert isinstance(result, AttackResult)
    assert len(result) == len(case.x)
    assert result.examples.shape == case.x.shape
    assert result.examples.dtype == np.float32
    for field in FIELDS[1:]:
        assert getattr(result, field).shape == (len(case.x),)
    assert result.success.dtype == bool
    assert result.is_finite.dtype == bool
    assert result.is_finite.all()
    assert result.trace is None
    assert result.success_rate == np.mean(result.success)


def test_inside_bounds_and_ball(case):
    examples = case.result.examples
    assert examples.min() >= 0.0
    assert examples.max() <= 1.0
    delta = (examples - case.x).reshape(len(case.x), -1)
    linf, l2 = limits(case)
    assert np.abs(delta).max() <= linf + 1e-6
    assert np.linalg.norm(delta, axis=1).max() <= l2 + 1e-5
    np.testing.assert_allclose(case.result.linf, np.abs(delta).max(axis=1), atol=1e-6)
    norms = np.linalg.norm(delta, axis=1)
    np.testing.assert_allclose(case.result.l2, norms, rtol=1e-5)
    assert np.all(norms > 0.01)


def test_success_is_the_criterion_evaluated_anew(case):
    if case.attack.criterion is None:
        assert case.result.success.all()
        assert np.isnan(case.result.criterion).all()
        return
    f, baseline = case.criterion.evaluate(case.x, case.result.examples, batch_size=4)
    rounding = 1e-6
    if isinstance(case.criterion, Reconstruction):
        clean = case.model(case.x, training=False).numpy()
        distance = np.linalg.norm((case.x - clean).reshape(len(case.x), -1), axis=1)
        np.testing.assert_allclose(baseline, distance, rtol=1e-5)
        rounding = 1e-5 * baseline.max()
    np.testing.assert_allclose(case.result.criterion, f, atol=rounding)
    clear = np.abs(f) > rounding
    np.testing.assert_array_equal(case.result.success[clear], f[clear] <= 0.0)
    np.testing.assert_array_equal(case.result.success, case.result.criterion <= 0.0)


def test_failures_keep_their_attempt_and_are_replaced_by_the_sample(case):
    augmented = case.result.augmented(case.x)
    success = case.result.success
    np.testing.assert_array_equal(augmented[success], case.result.examples[success])
    np.testing.assert_array_equal(augmented[~success], case.x[~success])
    assert augmented.dtype == np.float32


def test_similarity_is_finite_where_there_is_one(case):
    has_similarity = getattr(case.attack, "similarity", None) is not None
    assert np.all(np.isfinite(case.result.similarity) == has_similarity)


def test_a_run_repeats_bit_for_bit(case):
    assert_same(case.run(), case.result)


def test_other_ids_give_other_noise(case):
    other = case.run(sample_ids=np.arange(len(case.x)) + 1000)
    differs = (other.examples != case.result.examples).reshape(len(case.x), -1)
    assert differs.any(axis=1).all()


def test_order_does_not_matter(case):
    order = np.array([3, 0, 5, 1, 4, 2])
    assert_same(case.run(rows=order), case.result, order, exact=False)


def test_padding_does_not_matter(case):
    # Samples 4 and 5 were in a padded batch; here they are in a full one.
    rows = slice(2, 6)
    assert_same(case.run(rows=rows), case.result, rows, exact=False)


def test_a_dataset_equals_an_array(case):
    x = case.x
    if case.attack_name == "matched-noise":
        x = (case.x, case.labels)
    dataset = tf.data.Dataset.from_tensor_slices(x)
    for batch_size in (4, 5):  # The attack cuts its own batches.
        settings = {"batch_size": 4}
        received = case.attack(dataset.batch(batch_size), **settings)
        assert_same(received, case.result)


def test_double_precision_is_taken_as_single(case):
    assert_same(case.run(case.x.astype(np.float64)), case.result)


def test_the_model_is_left_as_it_was(case):
    before = case.model.get_weights()
    case.run()
    for old, new in zip(before, case.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not any("call" in layer.__dict__ for layer in case.model.layers)


def test_new_weights_are_seen_without_another_trace(case):
    if case.attack.criterion is None:
        return
    before = case.model.get_weights()
    case.model.set_weights([w + 0.1 for w in before])
    try:
        changed = case.run()
        f, _ = case.criterion.evaluate(case.x, changed.examples, batch_size=4)
    finally:
        case.model.set_weights(before)
    np.testing.assert_allclose(changed.criterion, f, atol=1e-4)
    assert np.any(changed.criterion != case.result.criterion)
    assert_same(case.run(), case.result)


def test_all_of_that_took_one_trace(case):
    assert case.attack.num_traces == 1
