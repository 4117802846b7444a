# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart: attack a trained autoencoder
#
# An *unsupervised adversarial example* (UAE) of a sample $x$ is a perturbed $x +
# \delta$ that looks as dissimilar from $x$ as possible, while an unsupervised model
# handles it no worse than $x$ itself. For an autoencoder $\Phi$, "no worse" is
#
# $$f(x + \delta) = \lVert x - \Phi(x + \delta) \rVert
# - \lVert x - \Phi(x) \rVert \le 0 .$$
#
# This page trains a small autoencoder, finds UAEs of its training data, looks at them,
# and asks the question that any success rate needs: *what would plain noise have
# given?*
#
# It needs no GPU and no download, and takes half a minute.

# %%
import keras
import numpy as np

import uae_tf
from uae_tf.experiments.report import gallery, relative_loss_change

keras.utils.set_random_seed(0)

# %% [markdown]
# ## A model
# `digits` comes with scikit-learn: 8 x 8 images with values in [0, 1]. Any built Keras
# model that reconstructs its input would do in the place of this one
# ([03_your_own_model](03_your_own_model.ipynb)).

# %%
data = uae_tf.datasets.load("digits")
model = uae_tf.models.build("conv", data.sample_shape, recipe="modern")
model.fit(data.x_train, epochs=40, batch_size=100, verbose=0)

test_error = model.evaluate(data.x_test, verbose=0, return_dict=True)["mse"]
print(data)
print(f"test MSE {test_error:.4f} per pixel")

# %% [markdown]
# ## The attack
# One line. The model has a convolution, so similarity is measured as the mutual
# information (MINE) between the maps of that convolution for $x$ and for $x + \delta$.

# %%
x = data.x_train[:256]
result = uae_tf.attack(model, x)
result

# %% [markdown]
# The result holds one row per sample: `examples`, `success`, `similarity`, `criterion`
# (that is $f$), `l2`, `linf`. A sample whose attack failed keeps its best attempt, with
# `success` False; `result.augmented(x)` puts `x` in its place.

# %%
print(f"success rate        {result.success_rate:.3f}")
print(f"f <= 0 wherever success: {bool(np.all(result.criterion[result.success] <= 0))}")
print(f"median L2 of delta  {np.median(result.l2):.3f}")
print(f"largest |delta|     {result.linf.max():.3f}")

# %% [markdown]
# ## Look at them
# Rows: the sample, its UAE, the difference, and what the model makes of both. Black is
# 0 and white is 1; the difference has a scale of its own, at the right. The last two
# rows should look alike, and the numbers below them tell: the error from the perturbed
# sample is not larger.


# %%
def show(result, count=8):
    inputs, examples = x[:count], result.examples[:count]
    outputs = (model.predict(a, verbose=0) for a in (inputs, examples))
    return gallery(inputs, examples, *outputs, result.success[:count])


show(result)

# %% [markdown]
# These UAEs hardly differ from the data, because the attack starts from small noise
# (`initial_noise=0.1`) and only has to keep $f \le 0$. The preset `"strong"` starts
# from noise of 0.5 and weighs $f$ more, to come back from there. Now the difference can
# be seen, mostly where the model is blind to it:

# %%
strong = uae_tf.attack(model, x, preset="strong")
print(strong)
show(strong)

# %% [markdown]
# ## Is that a lot? Ask noise
# A success rate means little alone: after a step that is small enough, whatever its
# direction, the loss is about as likely to fall as to rise. So hold the attack against
# noise *of the same size, sample by sample*, against the noise it started from, and
# against itself without the similarity term.

# %%
criterion = uae_tf.Reconstruction(model)


def loss_change(examples):
    """Relative change of the loss from x to x + delta; 0 or below is success."""
    f, loss = criterion.evaluate(x, examples)
    return f / loss


results = {
    "gaussian_0.001": uae_tf.GaussianNoise(0.001)(x),
    "start_noise": uae_tf.UniformNoise(0.5)(x),
    "matched_noise": uae_tf.MatchedNoise()(x, strong.l2),
    "criterion_only": uae_tf.attack(model, x, preset="strong", similarity=None),
    "mine_uae": strong,
}
changes = {arm: loss_change(found.examples) for arm, found in results.items()}
for arm, found in results.items():
    success = np.mean(changes[arm] <= 0)
    print(f"{arm:15} mean L2 {found.l2.mean():5.3f}   success rate {success:6.1%}")

relative_loss_change(changes)

# %% [markdown]
# - Noise of 0.001 "succeeds" on two samples in five, and is no adversarial example in
#   any useful sense: read a success rate beside a size.
# - Noise as large as the UAEs succeeds on none. This difference is what the attack
#   does.
# - Without the similarity term the attack gives examples of the same size and success.
#   The start noise makes them unlike $x$, and the criterion does the rest; in the
#   tables of docs/RESULTS.md MINE's similarity term added nothing.
#
# What all this does **not** show is that training on UAEs helps. Whether it does, for
# your model and your data, is measured in [02_augment_in_fit](02_augment_in_fit.ipynb)
# and by `uae-tf reconstruct`. And `similarity` is an objective with a ceiling, not an
# estimate of how different two images look:
# [05_inside_the_attack](05_inside_the_attack.ipynb).

# %% [markdown]
# ## All of MNIST (optional)
# Off by default. Needs a download of 11 MB, once, and about half an hour on two cores.
# We measured a success rate of 0.9993 ([docs/RESULTS.md](../docs/RESULTS.md)).

# %%
FULL_DATA = False

if FULL_DATA:
    mnist = uae_tf.datasets.load("mnist")
    big = uae_tf.models.build("conv", mnist.sample_shape, recipe="modern")
    big.fit(mnist.x_train, epochs=5, batch_size=100)
    print(uae_tf.attack(big, mnist.x_train, progress=True))
