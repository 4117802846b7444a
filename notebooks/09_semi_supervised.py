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
# # Few labels: VAT and a generator of adversarial examples
#
# A classifier sees eight labelled points and 1500 without a label. Every method here
# adds one term to the cross-entropy of the labelled points: an unlabelled $x$ and a
# changed copy $x'$ of it should be predicted alike,
#
# $$L = L_\mathrm{nll} + \mathrm{KL}\big(p(x)\,\Vert\,p(x')\big).$$
#
# *Virtual adversarial training* (VAT; Miyato et al.) takes $x' = x + r$, the step of
# length $\varepsilon$ that moves the prediction most. Ma et al. (WISE 2019) train a
# network instead, $x' = G(x, z)$, against the classifier.
#
# It needs no GPU and no download, and takes about a minute.

# %%
import dataclasses

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display

import uae_tf
from uae_tf.datasets import load, semi_supervised_split
from uae_tf.evaluation import error_rate
from uae_tf.experiments.report.semi_supervised import Panel, decision_boundaries
from uae_tf.experiments.semi_supervised.bench import evenly_spaced
from uae_tf.models import AdversarialExampleGenerator, DenseClassifier

SEED = 1
# TensorFlow warns of each new model's compilation.
tf.get_logger().setLevel("ERROR")

# %% [markdown]
# ## The data
# Two circles of radius 1 and 0.8. `semi_supervised_split` takes the labels away from
# any data set. Which points keep theirs matters here, so we place them evenly (the
# slides do not say where theirs were).

# %%
data = load("circles", noise=0.01, seed=SEED)
rows = evenly_spaced(data.x_train, data.y_train, 4, SEED)
split = dataclasses.replace(
    semi_supervised_split(data, labels_per_class=4, seed=SEED),
    x_labelled=data.x_train[rows],
    y_labelled=data.y_train[rows],
)
print(split)

# %% [markdown]
# ## Training
# A training model wraps a classifier; `fit` takes batches of labelled and unlabelled
# samples side by side. Plain `fit(x, y)` works too: then the labelled samples are the
# unlabelled ones as well.


# %%
def network():
    keras.utils.set_random_seed(SEED)
    return DenseClassifier((2,), 2, hidden_units=(100, 50), normalization=False)


def train(model, updates=1000):
    batches = uae_tf.SemiSupervisedDataset(
        split.x_labelled,
        split.y_labelled,
        split.x_unlabelled,
        labelled_batch=8,
        steps_per_epoch=updates // 10,
        seed=SEED,
    )
    history = model.fit(batches, epochs=10, verbose=0).history
    error = 100 * error_rate(model, split.x_test, split.y_test)
    print({name: round(values[-1], 4) for name, values in history.items()})
    print(f"test error {error:.2f} %")
    return error


# %%
supervised = uae_tf.ConsistencyTraining(network(), weight=0.0)
supervised.compile(keras.optimizers.Adam(3e-3))
errors = {"supervised": train(supervised)}

# %%
vat = uae_tf.VirtualAdversarialTraining(network(), epsilon=0.02)
vat.compile(keras.optimizers.Adam(3e-3))
errors["VAT, ε = 0.02"] = train(vat)

# %% [markdown]
# The generator begins as an autoencoder. In `roles="anchored"` its encoder gains by
# moving the classifier's prediction and pays for distance, its decoder only
# reconstructs. `distance` in the log is how far its examples are from their samples.
# `stop_gradient=True` holds the prediction of x fixed, as VAT does: on rings that
# carries the labels along; on images it needs a generator of bounded changes.

# %%
keras.utils.set_random_seed(SEED)
generator = AdversarialExampleGenerator.dense((2,), noise_dim=4)
generator.pretrain(split.x_unlabelled, epochs=20, verbose=0)
adversarial = uae_tf.AdversarialGeneratorTraining(
    network(), generator, lambda_=30.0, roles="anchored", stop_gradient=True
)
adversarial.compile(
    keras.optimizers.Adam(3e-3),
    generator_optimizer=keras.optimizers.Adam(3e-4, beta_1=0.5),
)
errors["generator, λ = 30"] = train(adversarial)

# %% [markdown]
# ## Where they draw the line

# %%
LIMIT = 1.4
ticks = np.linspace(-LIMIT, LIMIT, 121, dtype="float32")
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def panel(title, model):
    logits = model.predict(plane, batch_size=len(plane), verbose=0)
    return Panel(
        title=title,
        probability=tf.nn.softmax(logits)[:, 1].numpy().reshape(121, 121),
        limit=LIMIT,
        unlabelled=split.x_unlabelled,
        labelled=split.x_labelled,
        labels=split.y_labelled,
        error=errors[title],
    )


models = dict(zip(errors, (supervised, vat, adversarial), strict=True))
figure = decision_boundaries({"": {name: panel(name, m) for name, m in models.items()}})
display(figure)

# %% [markdown]
# ## The perturbation by itself
# VAT's step is an attack like any other here: it can be called on samples, judged, and
# put into `UAECallback`. Against the supervised classifier, steps of one length:

# %%
x = split.x_test[:500]
criterion = uae_tf.Divergence(supervised.classifier, kappa=0.1)
for name, iterations in (("random", 0), ("virtual adversarial", 1)):
    attack = uae_tf.VirtualAdversarialPerturbation(
        criterion, epsilon=0.1, power_iterations=iterations, bounds=(-2, 2)
    )
    result = attack(x)
    print(f"{name:>20}: moved by 0.1 nats or more on {result.success_rate:.1%}")

# %% [markdown]
# ## What to make of it
# One seed shows how things work, not which is better. `uae-tf semisupervised` repeats
# this over ten seeds and both noises of the slides, chooses every setting on validation
# points, and adds controls: random steps of a length of their own, and unsupervised
# adversarial examples. Its numbers stand in `docs/RESULTS.md`, with what was not
# reached.
