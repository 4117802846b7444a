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
# # Inside the attack
#
# What happens between `x` and `x + δ`: the criterion $f$, the mutual information $I$
# and the multiplier $c$ at every iteration; what MINE's critic looks at; how its number
# compares with the closed form; and what the bound $\varepsilon$ does.
#
# It needs no GPU and no download, and takes a minute.

# %%
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import uae_tf
from uae_tf.experiments.report import convergence
from uae_tf.mine import first_convolution, gaussian_mutual_information, observe
from uae_tf.ops import cosine, per_sample_seeds

keras.utils.set_random_seed(0)
data = uae_tf.datasets.load("digits")
model = uae_tf.models.build("conv", data.sample_shape, recipe="modern")
model.fit(data.x_train, epochs=40, batch_size=100, verbose=0)
criterion = uae_tf.Reconstruction(model)
x = data.x_train[:128]

# %% [markdown]
# ## f, I and c at every iteration
# One iteration takes a step down $c \cdot f^+ + I$, clips it to the ball and the box,
# and then looks at $f$ and $I$ *there*. While $f > 0$ the gradient of $f$ counts,
# weighted by the multiplier $c$, which grows with $f$ and decays by itself; the preset
# `"strong"` starts it at 100. `trace=True` keeps all of it.

# %%
attack = uae_tf.MinMaxAttack.from_preset("strong", criterion, uae_tf.MINE())
result = attack(x, trace=True)
print(result)
convergence(result.trace, "I: MINE, convolution maps (nats)")

# %% [markdown]
# The start noise makes $f$ large, and the criterion brings it to 0 within some ten
# iterations. But $I$ *rises*, though the attack pushes it down. Is that the example,
# which comes nearer to $x$, or the critic, which goes on learning? A control tells: the
# same attack with steps so small that $\delta$ stays where it starts.

# %%
still = uae_tf.MinMaxAttack.from_preset(
    "strong", criterion, uae_tf.MINE(), step_size=1e-9
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "succeeded on no sample": as intended here.
    unmoved = still(x, trace=True)

figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
for found, label in ((result, "attack"), (unmoved, "control: δ held still")):
    axes.plot(np.median(found.trace["similarity"], axis=1), linewidth=2, label=label)
axes.axhline(np.log(16), color="0.5", linestyle="--", label="ceiling ln 16")
axes.set(xlabel="iteration", ylabel="I: MINE (nats), median")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# The two curves are one: what rises is the critic, which goes on learning to tell its
# pairs apart, and $\delta$ has next to no part in it. That is worth knowing before
# reading anything into this number, or into its slope.
#
# For each sample the attack returns, among the iterates with $f \le 0$, the one with
# the lowest $I$. The start itself does not count: it is not something the attack has
# found. Here is one sample, with the iterate that was taken; the ups and downs that
# decide it are the critic's.

# %%
sample = 0
f, mi = (result.trace[name][:, sample] for name in ("criterion", "similarity"))
allowed = (f <= 0) & (np.arange(len(f)) > 0)
taken = np.argmin(np.where(allowed, mi, np.inf))
assert np.isclose(mi[taken], result.similarity[sample])

figure, panels = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
labels = ("f: loss(x + δ) − loss(x)", "I: MINE (nats)")
for axes, values, label in zip(panels, (f, mi), labels, strict=True):
    axes.plot(values, color="0.7", zorder=1)
    axes.scatter(np.flatnonzero(allowed), values[allowed], s=22, label="f ≤ 0")
    axes.scatter(np.flatnonzero(~allowed), values[~allowed], s=22, label="f > 0")
    axes.plot(taken, values[taken], "k*", markersize=15, label=f"taken: {taken}")
    axes.set(xlabel="iteration", title=label)
panels[0].axhline(0, color="0.4", linestyle="--", linewidth=1)
panels[1].legend(frameon=False)
plt.show()

# %% [markdown]
# ## What the critic sees
# For a model with convolutions, a *pair* is one map of the first convolution for $x$
# and the same map for $x + \delta$. MINE trains a critic to tell these $K$ pairs from
# pairs whose halves come from different maps. This is all it ever sees of a sample:

# %%
layer = first_convolution(model)
with observe(layer) as recorded:
    model(x[:1])
    model(result.examples[:1])
clean, perturbed = (maps.numpy()[0] for maps in recorded)
shown = np.argsort(-clean.std(axis=(0, 1)))[:8]

figure, grid = plt.subplots(3, 8, figsize=(10, 4.1), layout="constrained")
brightest = max(clean[..., shown].max(), perturbed[..., shown].max())
change = perturbed - clean
extent = np.abs(change[..., shown]).max()
for column, number in enumerate(shown):
    for axes, maps in zip(grid[:2, column], (clean, perturbed), strict=True):
        maps_image = axes.imshow(maps[..., number], "viridis", vmin=0, vmax=brightest)
    change_image = grid[2, column].imshow(
        change[..., number], "PuOr_r", vmin=-extent, vmax=extent
    )
    grid[0, column].set_title(f"map {number}")
for axes in grid.flat:
    axes.set_xticks([])
    axes.set_yticks([])
for axes, label in zip(grid[:, 0], ("x", "x + δ", "change"), strict=True):
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
figure.colorbar(maps_image, ax=grid[:2], label="activation", aspect=20)
figure.colorbar(change_image, ax=grid[2:], label="change", aspect=9)
print(f"{layer.name}: K = {clean.shape[-1]} maps of {clean.shape[:2]}; 8 are shown")
plt.show()

# %% [markdown]
# $K$ maps of one sample are few pairs in many dimensions. Any critic that is trained
# for long tells them apart, and the estimate then stands near its ceiling, $\ln K$,
# whatever the perturbation. Without the ceiling it would be worse, not better: it has
# that height because there are $K$ pairs, not because $x$ and $x + \delta$ share that
# much.

# %%
ceiling = np.log(clean.shape[-1])
print(f"ceiling ln K = {ceiling:.2f} nats")
print(
    f"I of the examples: {result.similarity.mean():.2f} ± {result.similarity.std():.2f}"
)

# %% [markdown]
# ## Closed form against MINE
# Models without convolutions are looked at through random Gaussian measurements, and
# there the truth is known: one measurement of $x$ and of $x + \delta$ has $I =
# -\tfrac12 \ln(1 - \rho^2)$ nats with $\rho = \cos(x, x + \delta)$; a view is 128 of
# them. That is `GaussianMI`. So we can ask what MINE makes of a correlation that we
# choose, and how much depends on how long its critic was trained. At $\rho = 0$ the
# truth is 0.

# %%
rho = np.repeat(np.array([0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]), 8)
mine = uae_tf.MINE(views="compressive", warmup_steps=0).for_model(model)
correlations = tf.constant(rho, tf.float32)
seeds = per_sample_seeds(0, tf.range(len(rho)))
state = tf.function(mine.prepare)(None, correlations, seeds)
estimates = {}
for steps in range(20, 1001, 20):
    state, value, _ = mine.update(state, correlations, tf.constant(1))
    estimates[steps] = value.numpy().reshape(-1, 8)

# %%
figure, axes = plt.subplots(figsize=(10, 4.6), layout="constrained")
levels = rho.reshape(-1, 8)[:, 0]
for steps, colour in ((20, "#56b4e9"), (100, "#0072b2"), (1000, "#d55e00")):
    low, middle, high = np.percentile(estimates[steps], [0, 50, 100], axis=1)
    axes.fill_between(levels, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(levels, middle, "o-", color=colour, label=f"MINE, {steps} critic steps")
smooth = np.linspace(0, 0.999, 400)
per_measurement = gaussian_mutual_information(tf.constant(smooth)).numpy()
axes.plot(smooth, per_measurement, "k-", label="closed form, per measurement")
axes.plot(smooth, 128 * per_measurement, "k:", label="closed form, per view")
axes.axhline(np.log(96), color="0.5", linestyle="--", label="ceiling ln 96")
axes.set(
    xlabel="ρ: cosine of x and x + δ",
    ylabel="mutual information (nats)",
    ylim=(-0.2, 5.2),
    title="MINE on compressive views: median and range of 8 draws",
)
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
plt.show()

print(f"truth at ρ = 0: 0 nats; MINE after 1000 steps: {estimates[1000][0].mean():.2f}")

# %% [markdown]
# After the 1000 steps that a critic gets during an attack of 40 iterations, MINE gives
# nearly the same number for independent measurements as for almost equal ones. So read
# `similarity` as an objective of the attack, and compare it between runs of equal
# settings only. `GaussianMI` is exact for its measurements, at no cost; but it knows
# nothing beyond the angle between two samples.

# %% [markdown]
# ## Does the similarity term change the examples?
# Same start, same criterion, four similarities; the last column is the same closed form
# for all, because their own numbers cannot be compared.

# %%
similarities = {
    "none": None,
    "L2": uae_tf.L2Similarity(),
    "MINE": uae_tf.MINE(),
    "GaussianMI": uae_tf.GaussianMI(),
}
results = {
    name: uae_tf.attack(model, x, preset="strong", similarity=similarity)
    for name, similarity in similarities.items()
}
results["start noise"] = uae_tf.UniformNoise(0.5, criterion)(x)


def measured(examples):
    """Cosine of x and the example, and the closed form in nats per measurement."""
    rho = cosine(tf.constant(x), tf.constant(examples))
    return rho.numpy().mean(), gaussian_mutual_information(rho).numpy().mean()


print("similarity     success   L2 of δ   cosine   I (closed form)")
for name, found in results.items():
    rho_mean, nats = measured(found.examples)
    print(
        f"{name:13} {found.success_rate:8.0%} {found.l2.mean():9.2f}"
        f" {rho_mean:8.3f} {nats:8.2f} nats"
    )

# %% [markdown]
# Without a similarity term, with L2 and with MINE the examples are the same, to two
# decimals: start noise and criterion decide. `GaussianMI` has a slope that does not
# fade, and keeps the examples farther from $x$. The start noise is less similar still,
# but fails: the attack is the way back from it to where $f \le 0$. Whether farther
# examples make better training data is another question, for
# [02_augment_in_fit](02_augment_in_fit.ipynb).
#
# ## The bound ε
# `epsilon` is the largest change of a pixel. It also cuts the start noise, and so
# decides how far the attack begins from the data.

# %%
bounds = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
sweep = {
    epsilon: uae_tf.attack(
        model,
        x,
        preset="strong",
        similarity=uae_tf.GaussianMI(),
        epsilon=epsilon,
        initial_noise=epsilon,
    )
    for epsilon in bounds
}
noise = {epsilon: uae_tf.UniformNoise(epsilon, criterion)(x) for epsilon in bounds}

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
for found, label, style in ((sweep, "attack", "o-"), (noise, "its start noise", "s--")):
    rates = [100 * found[epsilon].success_rate for epsilon in bounds]
    panels[0].plot(bounds, rates, style, label=label)
    panels[1].plot(bounds, [found[epsilon].l2.mean() for epsilon in bounds], style)
    nats = [measured(found[epsilon].examples)[1] for epsilon in bounds]
    panels[2].plot(bounds, nats, style)
titles = ("success rate (%)", "mean L2 norm of δ", "I, closed form (nats)")
for axes, title in zip(panels, titles, strict=True):
    axes.set(xscale="log", xlabel="ε", title=title, ylim=(0, None))
    axes.set_xticks(bounds, [f"{epsilon:g}" for epsilon in bounds])
    axes.minorticks_off()
panels[0].legend(frameon=False)
plt.show()

# %%
figure, grid = plt.subplots(2, 7, figsize=(10, 3.2), layout="constrained")
for axes in grid.flat:
    axes.set_xticks([])
    axes.set_yticks([])
columns = [("x", x[sample], x[sample])]
columns += [
    (f"ε = {e:g}", sweep[e].examples[sample], noise[e].examples[sample]) for e in bounds
]
for column, (title, *images) in enumerate(columns):
    grid[0, column].set_title(title)
    for axes, image in zip(grid[:, column], images, strict=True):
        shown = axes.imshow(image[..., 0], "gray", vmin=0, vmax=1)
        error = np.linalg.norm(x[sample] - model(image[None])[0])
        axes.set_xlabel(f"{error:.2f}")
for axes, label in zip(grid[:, 0], ("attack", "noise"), strict=True):
    axes.set_ylabel(label, fontsize=11)
figure.colorbar(shown, ax=grid, label="pixel value", aspect=25)
figure.suptitle("below: ‖x − Φ(image)‖₂", y=-0.04, fontsize=11)
plt.show()

# %% [markdown]
# For small bounds the attack goes *beyond* its start noise: larger, less similar, and
# still handled better. For large ones it comes back from noise that is too far. At the
# left of the first panel noise passes on two samples in five as well: there, a success
# rate says little. The larger the bound, the more a success means.
#
# ## On MNIST (optional)
# Off by default: 28 x 28 images, a download of 11 MB, once.

# %%
FULL_DATA = False

if FULL_DATA:
    mnist = uae_tf.datasets.load("mnist", samples=2000)
    big = uae_tf.models.build("conv", mnist.sample_shape, recipe="modern")
    big.fit(mnist.x_train, epochs=20, batch_size=100, verbose=0)
    result = uae_tf.attack(big, mnist.x_train[:256], preset="strong", trace=True)
    print(result)
    display(convergence(result.trace, "I: MINE (nats)"))  # noqa: F821
