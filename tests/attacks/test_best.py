"""Which iterate is kept."""

import numpy as np
import tensorflow as tf

from uae_tf.attacks.best import Best


def follow(values, scores, allowed=None):
    """Index of the iterate that is kept for one sample, and the final state."""
    best = Best.start(tf.fill((1, 2), -1.0))
    for index, (f, score) in enumerate(zip(values, scores, strict=True)):
        permitted = True if allowed is None else allowed[index]
        best = best.update(
            tf.fill((1, 2), float(index)),
            tf.constant([f]),
            tf.constant([10.0 * score]),
            tf.constant([score]),
            tf.constant([permitted]),
        )
    return int(best.examples[0, 0]), best


def test_the_best_score_among_successes():
    kept, best = follow([0.5, -0.1, -3.0, -0.2, 1.0], [0.0, 3.0, 2.0, 2.5, 0.1])
    assert kept == 2
    assert best.success.numpy().tolist() == [True]
    assert best.criterion.numpy().tolist() == [-3.0]
    assert best.similarity.numpy().tolist() == [20.0]


def test_a_success_beats_every_failure():
    kept, _ = follow([0.5, 0.0, 0.1], [0.0, 9.0, 0.0])
    assert kept == 1


def test_the_lowest_criterion_among_failures():
    kept, best = follow([0.5, 0.1, 0.2], [0.0, 9.0, 0.0])
    assert kept == 1
    assert not best.success[0]


def test_the_earliest_on_ties():
    assert follow([-1.0, -2.0], [3.0, 3.0])[0] == 0
    assert follow([0.5, 0.5], [3.0, 1.0])[0] == 0


def test_what_is_not_allowed_is_not_kept():
    kept, best = follow([-1.0, 0.5], [0.0, 0.0], allowed=[False, True])
    assert kept == 1
    assert not best.success[0]


def test_nothing_judged_gives_the_sample_itself_and_nan():
    kept, best = follow([np.nan], [np.nan], allowed=[False])
    assert kept == -1
    assert np.isnan(best.measured(best.criterion)[0])
    assert np.isnan(best.measured(best.similarity)[0])
