import sys

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from uae_tf.experiments.report import (
    convergence,
    errors_by_arm,
    gallery,
    relative_loss_change,
)
from uae_tf.experiments.report.contrast import learning_curves
from uae_tf.experiments.report.embedding import picture, png
from uae_tf.experiments.report.selection import selected_pixels


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    x = rng.random((10, 8, 8, 1))
    return x, np.clip(x + rng.uniform(-0.5, 0.5, x.shape), 0, 1), 0.9 * x, 0.8 * x


@pytest.mark.parametrize(
    ("shape", "settings", "axes"),
    [
        ((3, 8, 8, 1), {}, 15),
        ((3, 8, 8, 3), {}, 15),
        ((3, 8, 8), {"success": np.array([True, False, True])}, 15),
        ((3, 64), {"image_shape": (8, 8)}, 15),
        ((12, 8, 8, 1), {}, 40),
        ((6, 30), {"titles": list("$bcdef")}, 20),
        ((2, 5, 6, 2), {}, 10),
    ],
)
def test_gallery_of_any_shape(shape, settings, axes):
    rng = np.random.default_rng(0)
    x, examples, first, second = rng.random((4, *shape))
    # A dense model may answer images with vectors.
    figure = gallery(x, examples, first.reshape(len(x), -1), second, **settings)
    figure.canvas.draw()
    # Images have one more: the colour bar.
    assert len(figure.axes) in (axes, axes + 1)


def test_gallery_without_perturbation_and_with_nan(images):
    x = images[0]
    gallery(x, x, x, x).canvas.draw()
    gallery(x, np.full_like(x, np.nan), x, x).canvas.draw()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": np.zeros((0, 8, 8, 1))}, "1 sample or more"),
        ({"examples": np.zeros((10, 4, 4, 1))}, "examples must hold as many values"),
        ({"image_shape": (5, 5)}, r"image_shape \(5, 5\) does not fit"),
        ({"bounds": (1.0, 0.0)}, "low < high"),
    ],
)
def test_gallery_refuses(images, change, match):
    names = ("x", "examples", "reconstruction", "reconstruction_of_examples")
    with pytest.raises(ValueError, match=match):
        gallery(**(dict(zip(names, images, strict=True)) | change))


def test_convergence_panels():
    steps = np.linspace(1.0, -0.01, 11)[:, None] * np.ones((1, 5))
    trace = {"criterion": steps, "similarity": steps.copy(), "multiplier": steps**2}
    trace["similarity"][3, 2] = np.nan
    figure = convergence(trace, "mutual information (nats)")
    figure.canvas.draw()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[1] == "mutual information (nats)\n(1 not finite)"
    assert "succeeds on 100 %" in figure.get_label()
    all_nan = {"criterion": np.full((3, 2), np.nan)}
    convergence(all_nan).canvas.draw()
    with pytest.raises(ValueError, match="must hold one of"):
        convergence({"loss": steps})
    with pytest.raises(ValueError, match=r"iterations \+ 1, samples"):
        convergence({"criterion": steps[:, 0]})


def test_loss_changes_count_all_samples():
    changes = np.array([-0.5, -0.1, 0.0, 0.2, np.nan, 1000.0])
    figure = relative_loss_change({"mine_uae": changes, "empty": np.array([np.nan])})
    figure.canvas.draw()
    assert len(figure.axes) == 1
    # NaN, a failure, is one of the six.
    assert "mine_uae 50.0 %" in figure.get_label()
    # A rise by rounding is a success in the table as well.
    rounded = relative_loss_change({"mine_uae": np.array([5e-7, 5e-6])})
    assert "mine_uae 50.0 %" in rounded.get_label()
    relative_loss_change({"none_moved": np.zeros(5)}).canvas.draw()
    with pytest.raises(ValueError, match="one arm with a finite change"):
        relative_loss_change({"empty": np.array([])})


def test_errors_by_arm_leaves_out_what_is_pending():
    values = [0.0071, 0.0069]
    done = {"test_error": {"mean": 0.007, "std": 0.0001, "values": values}}
    names = ["original", "mine_uae"]
    rows = [*({"arm": name} | done for name in names), {"arm": "pending"}]
    figure = errors_by_arm(rows)
    figure.canvas.draw()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == names
    with pytest.raises(ValueError, match="one arm with a finite 'test_error'"):
        errors_by_arm([{"arm": "pending"}])


def test_errors_by_arm_are_seeds_means_and_spreads_on_one_scale():
    rows = [
        {"arm": arm, "test_error": {"mean": mean, "std": 1e-3, "values": values}}
        for arm, mean, values in (
            ("original", 0.007, [0.006, 0.008]),
            ("mine_uae", 0.004, [0.003, 0.005]),
        )
    ]
    figure = errors_by_arm(rows)
    (axes,) = figure.axes
    means, spreads = [], []
    for line, _, (bar,) in axes.containers:
        means.append(line.get_xdata()[0])
        spreads.append(bar.get_segments()[0][:, 0])
    np.testing.assert_allclose(means, [7, 4])
    np.testing.assert_allclose(spreads, [[6, 8], [3, 5]])
    dots = [c for c in axes.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose([d.get_offsets()[:, 0] for d in dots], [[6, 8], [3, 5]])
    assert axes.get_xlabel() == "test MSE \N{MULTIPLICATION SIGN}1e-3"
    assert figure.get_label().endswith("Lowest: mine_uae.")
    lowest = axes.lines[0]
    assert lowest.get_linestyle() == "--"
    np.testing.assert_allclose(lowest.get_xdata(), 4)


def test_selected_pixels_lie_in_their_row_and_column():
    figure = selected_pixels(np.zeros((4, 6, 1)), {"original": [1, 1, 10]})
    (points,) = figure.axes[0].collections
    # As (x, y): the tenth is in the second of rows of six.
    np.testing.assert_array_equal(points.get_offsets(), [[1, 0], [1, 0], [4, 1]])
    assert "different ones: original 2." in figure.get_label()


def test_a_picture_has_the_shape_and_the_words_of_its_figure(images):
    figure = gallery(*images)
    width, height = figure.get_size_inches()
    found = picture("gallery", png("gallery", figure), "said")
    assert (found.width, found.height) == (round(100 * width), round(100 * height))
    assert (found.title, found.alt) == ("Gallery", "said")


@pytest.mark.parametrize(("epochs", "points"), [(4, 4), (12, 3)])
def test_the_loss_of_a_short_contrastive_training_is_a_line_too(epochs, points):
    losses = {
        "original": [np.linspace(6.0, 5.0, epochs), np.linspace(6.2, 5.2, epochs)]
    }
    figure = learning_curves(losses, {"original": [[(1, 0.2), (epochs, 0.3)]] * 2})
    *single, mean = figure.axes[0].lines
    assert len(single) == 2
    assert len(mean.get_xdata()) == points
    assert mean.get_ydata().mean() == pytest.approx(5.6, abs=0.1)
    figure.canvas.draw()
    ticks = figure.axes[0].get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_no_global_figures(images):
    gallery(*images)
    assert (
        "matplotlib.pyplot" not in sys.modules
        or not __import__("matplotlib.pyplot").pyplot.get_fignums()
    )


def test_a_notebook_shows_a_figure_by_itself(images):
    x = images[0]
    assert gallery(x, x, x, x)._repr_png_().startswith(b"\x89PNG")
