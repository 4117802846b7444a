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
# # Adversarial examples of a model that only compares
#
# SimCLR learns without labels: two random views of an image should have features
# alike, and unlike those of other images. What is an *unsupervised adversarial example*
# of such a model? An image that looks as unlike x as can be found, while its views
# still find each other as well as those of x.
#
# This page trains a small encoder, attacks it, and shows two traps: a criterion that is
# a constant, and success that does not last. It takes less than a minute on two cores:
# on CIFAR-10 at half its size where `TFDS_DATA_DIR` names a folder that has it, else on
# scikit-learn's digits.

# %%
import os

import keras
import numpy as np
from IPython.display import display
from keras import layers

import uae_tf
from uae_tf.evaluation.embedding import embed, knn_accuracy
from uae_tf.evaluation.linear_probe import head_scores, linear_probe
from uae_tf.evaluation.robustness import RobustnessCurve
from uae_tf.experiments.contrast.bench import shrink
from uae_tf.experiments.report.contrast import examples, retrieval
from uae_tf.models import SimCLR, SimCLRAugment

if "TFDS_DATA_DIR" in os.environ:
    data = uae_tf.datasets.load("cifar10", samples=1024)
    x_train, x_test = shrink(data.x_train, 16), shrink(data.x_test[:500], 16)
else:
    data = uae_tf.datasets.load("digits", samples=1024)
    # Three channels, as the colour changes want them.
    x_train, x_test = (x.repeat(3, axis=-1) for x in (data.x_train, data.x_test[:300]))
y_train, y_test = data.y_train, data.y_test[: len(x_test)]
print(data.name, x_train.shape, x_test.shape)

# %% [markdown]
# ## An encoder, without labels
# `SimCLR` takes any encoder from images to vectors. The paper's is
# `uae_tf.models.ResNet18()`; three convolutions do for a page.

# %%
keras.utils.set_random_seed(0)


def small_encoder(shape):
    inputs = keras.Input(shape)
    x = inputs
    for number, filters in enumerate((16, 32, 64)):
        name = "stem_conv" if number == 0 else None
        x = layers.Conv2D(
            filters, 3, strides=1 + (number > 0), padding="same", name=name
        )(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


model = SimCLR(
    small_encoder(x_train.shape[1:]), temperature=0.2, augment=SimCLRAugment(seed=0)
)
model.compile(keras.optimizers.Adam(3e-3), jit_compile=False)


def neighbours():
    features = embed(model.encoder, x_train), embed(model.encoder, x_test)
    return knn_accuracy(features[0], y_train, features[1], y_test, k=50)


before = neighbours()
history = model.fit(x_train, batch_size=128, epochs=12, verbose=0).history
print("loss by epoch:", np.round(history["loss"], 2))
print(f"test images whose neighbours are of their class: {before:.1%} untrained,")
print(f"{neighbours():.1%} trained. No label was used but to count.")

# %% [markdown]
# ## The first trap: a criterion that is a constant
# The authors' published code compares an image with copies of itself. Its preprocessing
# is built for evaluation, so nothing is augmented, all 100 embeddings are one, and the
# loss is 2 ln 99 whatever the image: every change of every image "succeeds". It is kept
# here as `legacy=True`, to be looked at.

# %%
reference = x_train[-128:]
x = x_train[:48]
legacy = uae_tf.Contrastive(model, None, legacy=True)
noise = np.random.default_rng(0).uniform(size=x.shape).astype("float32")
for name, images in {"images": x, "pure noise": noise}.items():
    _, losses = legacy.evaluate(images, images)
    print(f"published: {name:>10} {losses.min():.4f} to {losses.max():.4f}")
print(f"2 ln 99 = {2 * np.log(99):.4f}")

criterion = uae_tf.Contrastive(model, reference, num_views=3)
for name, images in {"images": x, "pure noise": noise}.items():
    _, losses = criterion.evaluate(images, images)
    print(f"ours:      {name:>10} {losses.min():.4f} to {losses.max():.4f}")

# %% [markdown]
# Ours takes the same three views of x and of x + δ, and asks how well they find each
# other among views of 128 other images. The same crops for both: else f would tell
# which of them had the luckier ones.
#
# ## An attack
# `uae_tf.attack(model, x)` does all of this in one line. Step by step:

# %%
attack = uae_tf.MinMaxAttack(
    criterion, uae_tf.MINE(), steps=15, step_size=0.02, initial_noise=0.15
)
result = attack(x, batch_size=48)
print(result)
display(examples(x[:10], result.examples[:10], result.success[:10]))

# %% [markdown]
# ## The second trap: success on the views that were attacked
# The attack has descended f on three views. Has it changed the image, or only what
# these three see? `fresh()` asks others:

# %%
others = criterion.fresh(num_views=8)
for name, judge in {
    "the three views of the attack": criterion,
    "eight others": others,
}.items():
    f, loss = judge.evaluate(x, result.examples)
    change = np.mean(f / loss)
    print(f"{name:>30}: success {np.mean(f <= 0):.0%}, loss {change:+.1%}")

# %% [markdown]
# The rate on views that the attack has not seen is what `uae-tf contrast` reports. Hold
# it against noise of the same size: a random change "succeeds" too now and then.

# %%
matched = uae_tf.MatchedNoise()(x, result.l2).examples
f, loss = others.evaluate(x, matched)
success, change = np.mean(f <= 0), np.mean(f / loss)
print(f"noise of that size: success {success:.0%}, loss {change:+.1%}")

# %% [markdown]
# Where noise does as well on unseen views, the search has found nothing of the image
# that lasts: it has fitted three crops. More of them (`num_views`) cost as much more
# time, and are what to try. A success rate by itself never shows it.
#
# ## What the encoder is worth
# A linear classifier on features that do not move, how it stands up to an adversary,
# and what the features call alike:

# %%
classifier = linear_probe(model.encoder, x_train, y_train, epochs=50, batch_size=128)
print(head_scores(classifier, x_test, y_test))
curve = RobustnessCurve(classifier, epsilons=(4 / 255,), steps=10)
for point in curve(x_test[:100], y_test[:100]):
    radius = 255 * point["epsilon"]
    print(f"within {radius:.0f}/255: {point['accuracy']:.0%} keep their class")

features = [embed(model.encoder, images) for images in (x_train, x_test[:6])]
train, queries = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in features)
nearest = np.argsort(-queries @ train.T, axis=1)[:, :8]
is_same = y_train[nearest] == y_test[:6, None]
display(retrieval(x_test[:6], {"trained": x_train[nearest]}, {"trained": is_same}))

# %% [markdown]
# ## Do they help?
# One attack on one encoder says nothing of that. `uae-tf contrast` trains new encoders
# with UAEs and with every control for the same number of updates, on three seeds. The
# published comparison gave the arm with UAEs three times the updates. Set `FULL` to run
# it here: a ResNet-18, CIFAR-10, and about twenty minutes on two cores.

# %%
FULL = False
if FULL:
    from pathlib import Path

    from uae_tf.experiments.contrast import ContrastSettings, contrast

    results = contrast(ContrastSettings(), Path("runs/contrast-cifar10"))
    print(results["verdict"]["sentence"])
