import numpy as np
import pytest

from uae_tf.experiments.report.arms import ADVERSARIAL, CONTROL, kind_of
from uae_tf.experiments.report.semi_supervised import (
    KINDS,
    decision_boundaries,
    generated_gallery,
    kinds_of_change,
    sensitivity,
)
from uae_tf.experiments.semi_supervised.arms import METHODS


def images():
    rng = np.random.default_rng(0)
    return np.repeat(rng.uniform(0.3, 0.7, (1, 16, 16, 3)), 4, axis=0)


def test_each_kind_of_change_scores_highest_for_its_own_example():
    x = images()
    examples = x.copy()
    examples[0, ..., 0] += 0.2
    centre = x.mean(axis=(1, 2), keepdims=True)
    examples[1] = 0.5 * x[1] + 0.5 * centre[1]
    examples[2, 4:8, 4:8] += 0.2
    checks = np.indices((16, 16)).sum(axis=0) % 2
    examples[3] += 0.1 * (2 * checks - 1)[..., None]
    found = kinds_of_change(x, examples).argmax(axis=1)
    assert [KINDS[kind] for kind in found] == list(KINDS)


def test_gallery_has_a_line_per_sample_and_a_column_per_draw():
    x = images()
    examples = np.stack([x + 0.1, x - 0.1], axis=1)
    figure = generated_gallery(x, examples, per_kind=2)
    assert len(figure.axes) == 2 * 4
    with pytest.raises(ValueError, match=r"\(samples, draws, height"):
        generated_gallery(x, x)


def test_a_setting_that_always_failed_is_left_out():
    errors = {"vat": {"0.1": [np.nan], "1": [3.0]}, "generator": {"1": [np.nan]}}
    figure = sensitivity(errors)
    assert len(figure.axes) == 1
    assert "vat from 3.00 to 3.00 %" in figure.get_label()
    with pytest.raises(ValueError, match="one method with an error"):
        sensitivity({"vat": {}})


def test_no_panel_is_an_error():
    with pytest.raises(ValueError, match="one panel or more"):
        decision_boundaries({"noise": {}})


def test_labels_alone_and_random_steps_are_the_controls():
    controls = {name for name in METHODS if kind_of(name) == CONTROL}
    assert controls == {"supervised", "random"}
    assert kind_of("bounded_generator_2.0") == ADVERSARIAL
