import numpy as np
import pytest
from matplotlib.colors import to_hex

from uae_tf.experiments.report.contrast import (
    embeddings,
    examples,
    learning_curves,
    retrieval,
    robustness,
)
from uae_tf.experiments.report.style import ADVERSARIAL_COLOUR, CONTROL_COLOUR


def test_neighbours_are_the_mean_over_seeds_in_percent():
    neighbours = {"original": [[(1, 0.2), (4, 0.3)], [(1, 0.4), (4, 0.7)]]}
    figure = learning_curves({"original": [[3.0, 2.0, 1.5, 1.0]] * 2}, neighbours)
    (line,) = figure.axes[1].lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 30], [4, 50]])
    assert "At the end: original 50.0 %" in figure.get_label()


def test_the_reach_of_an_adversary_is_told_in_steps_of_eight_bits():
    seeds = [[[0.0, 0.5], [8 / 255, 0.2]], [[0.0, 0.7], [8 / 255, 0.1]]]
    figure = robustness({"original": seeds})
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[0, 60], [8, 15]])
    assert "largest: original 15.0 %" in figure.get_label()


def test_points_have_the_colour_that_the_legend_gives_their_class():
    points, labels = np.arange(8.0).reshape(4, 2), np.array([0, 1, 1, 1])
    figure = embeddings({"original": points}, labels, ["cat", "dog"])
    cats, dogs = figure.axes[0].collections
    np.testing.assert_array_equal(cats.get_offsets(), points[:1])
    np.testing.assert_array_equal(dogs.get_offsets(), points[1:])
    assert (cats.get_label(), dogs.get_label()) == ("cat", "dog")


def test_a_neighbour_of_the_class_has_the_blue_frame():
    query, found = np.zeros((1, 4, 4, 3)), np.zeros((1, 2, 4, 4, 3))
    same = np.array([[True, False]])
    figure = retrieval(query, {"original": found}, {"original": same})
    right, wrong = [axes for axes in figure.axes if axes.images][1:]
    for axes, colour, alpha in (
        (right, CONTROL_COLOUR, None),
        (wrong, ADVERSARIAL_COLOUR, 0.55),
    ):
        assert to_hex(axes.spines["left"].get_edgecolor()) == to_hex(colour)
        assert axes.images[0].get_alpha() == alpha
    assert "original 50 %" in figure.get_label()


def test_examples_are_told_with_success_and_length():
    x = np.zeros((3, 4, 4, 1))
    moved = x + np.array([0.25, 0.5, 0.0]).reshape(3, 1, 1, 1)
    figure = examples(x, moved, np.array([True, True, False]))
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["success", "success", "failed"]
    # Sixteen pixels changed by a quarter and by a half.
    assert [a.get_xlabel() for a in figure.axes[6:]] == ["1.00", "2.00", "0.00"]
    assert "succeeded on 2." in figure.get_label()


def test_no_arm_is_an_error():
    for draw, arguments in (
        (robustness, ()),
        (embeddings, (np.zeros(0), [])),
        (learning_curves, ({},)),
    ):
        with pytest.raises(ValueError, match="one arm"):
            draw({}, *arguments)
