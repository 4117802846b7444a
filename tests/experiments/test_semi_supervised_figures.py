import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from uae_tf.experiments.report.arms import ADVERSARIAL, CONTROL, kind_of
from uae_tf.experiments.report.semi_supervised import (
    KINDS,
    Panel,
    decision_boundaries,
    generated_gallery,
    kinds_of_change,
    sensitivity,
)
from uae_tf.experiments.report.style import ADVERSARIAL_COLOUR, CONTROL_COLOUR
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


def test_gallery_shows_the_clearest_of_a_kind_and_its_own_change():
    x = images()[:2]
    checks = 2 * (np.indices((16, 16)).sum(axis=0) % 2) - 1
    # Nothing but pixels in the second, and a shift beside them in the first.
    first = x + 0.1 * checks[..., None]
    first[0] += 0.05
    figure = generated_gallery(x, np.stack([first, x], axis=1), per_kind=1)
    sample, example, other, change = [a.images[0].get_array() for a in figure.axes]
    for shown, expected in ((sample, x[1]), (example, first[1]), (other, x[1])):
        np.testing.assert_allclose(shown, expected, atol=1e-6)
    np.testing.assert_allclose(change, 0.1 * checks, atol=1e-6)


def test_a_boundary_is_drawn_where_its_points_lie():
    side = np.linspace(-1.0, 1.0, 5)
    probability = np.repeat(side[:, None] > 0, 5, axis=1).astype(float)
    labelled = np.array([[0.0, -0.5], [0.2, 0.5], [0.4, 0.6]])
    labels = np.array([0, 1, 1])
    panel = Panel("vat", probability, 1.0, labelled, labelled, labels, 12.5)
    failed = Panel("random", probability, 1.0, labelled, labelled, labels, None)
    figure = decision_boundaries({"noise 0.1": {"vat": panel, "random": failed}})
    axes = figure.axes[0]
    assert axes.get_ylim() == (-1.0, 1.0)
    # The array's first row is below, where the prediction is 0.
    assert axes.images[0].origin == "lower"
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    _, zeros, ones = points
    np.testing.assert_array_equal(zeros.get_offsets(), labelled[:1])
    np.testing.assert_array_equal(ones.get_offsets(), labelled[1:])
    colours = [to_hex(c.get_facecolor()[0]) for c in (zeros, ones)]
    assert colours == [to_hex(c) for c in (ADVERSARIAL_COLOUR, CONTROL_COLOUR)]
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["vat\n12.50 %", "random\nfailed"]
    assert "noise 0.1: vat 12.50 %, random failed." in figure.get_label()


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
