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
# # Which ten proteins tell the other sixty-seven?
#
# A *concrete autoencoder* learns which k features of a table are worth measuring: those
# from which a small network reconstructs all others best. It needs no labels.
# `uae_tf.ConcreteFeatureSelector` is that network as a transformer of scikit-learn.
#
# The table here is *Mice Protein Expression*: 77 proteins in the cortex of mice, eight
# classes. Prepare it once, from a folder that holds `Data_Cortex_Nuclear.csv`:
#
# ```bash
# uae-tf datasets prepare mice_protein --from FOLDER
# ```
#
# Where it is not prepared, this page runs on scikit-learn's breast cancer data instead.
# It takes less than a minute on two cores.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import uae_tf
from uae_tf.evaluation.feature_baselines import BASELINES

try:
    data = uae_tf.datasets.load("mice_protein")
    x_train = pd.DataFrame(data.x_train, columns=data.feature_names)
    x_test = pd.DataFrame(data.x_test, columns=data.feature_names)
    y_train, y_test = data.y_train, data.y_test
except FileNotFoundError:
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)

print(
    f"{len(x_train)} rows to train on, {len(x_test)} to test, {len(x_train.T)} columns"
)

# %% [markdown]
# ## In a pipeline
# Data frames go in, and the columns that come out are untouched: values, names, order.

# %%
selector = uae_tf.ConcreteFeatureSelector(
    10, epochs=150, learning_rate=0.01, embedding_dim=32, random_state=0
)
trees = ExtraTreesClassifier(50, random_state=0)
pipeline = make_pipeline(selector.set_output(transform="pandas"), trees)
pipeline.fit(x_train, y_train)

kept = selector.get_feature_names_out()
print(f"accuracy with {len(kept)} features: {pipeline.score(x_test, y_test):.3f}")
print("selected:", ", ".join(kept))

# %% [markdown]
# How sure is the choice? The network decides by cooling down a random mixture of all
# features. `confidence_` is the mean largest probability of its ten units (1: all have
# decided), and `n_duplicates_` says how many of them chose what another had.

# %%
print(f"confidence {selector.confidence_:.4f}, duplicates {selector.n_duplicates_}")

# %% [markdown]
# ## What the others are worth
# The same trees on all features, and on ten that were chosen by simpler means. A method
# that does not beat *random* has found nothing; on a table whose rows resemble each
# other (here, fifteen measurements of each mouse), many sets of ten do well.


# %%
def accuracy(columns):
    return trees.fit(x_train[columns], y_train).score(x_test[columns], y_test)


scores = {"all features": accuracy(x_train.columns)}
scores["concrete autoencoder"] = accuracy(kept)
scaled = (x_train - x_train.min()) / np.ptp(x_train.to_numpy(), axis=0)
for name, choose in BASELINES.items():
    scores[name] = accuracy(x_train.columns[choose(scaled.to_numpy(), 10, 0)])
pd.Series(scores, name="accuracy").round(3).to_frame()

# %% [markdown]
# ## The features that were left out
# The decoder predicts them from the ten that were kept, in the units of the data. Its
# best and its worst, on test rows:

# %%
predicted = selector.reconstruct(x_test)
truth = x_test.to_numpy()
left_out = np.flatnonzero(~selector.get_support())
explained = 1 - np.var(truth - predicted, axis=0) / np.var(truth, axis=0)
order = left_out[np.argsort(-explained[left_out])]
figure, panels = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for axes, column in zip(panels, [*order[:2], *order[-2:]], strict=True):
    axes.scatter(truth[:, column], predicted[:, column], s=6, alpha=0.6)
    axes.axline((truth[0, column], truth[0, column]), slope=1, color="grey", lw=1)
    axes.set_title(f"{x_train.columns[column]}\n{explained[column]:.0%} explained")
    axes.set_xlabel("measured")
panels[0].set_ylabel("predicted")
plt.show()

# %% [markdown]
# ## Do adversarial examples help?
# The paper adds unsupervised adversarial examples of the training rows, and selects
# anew. Whether that helps is a question for controls and several seeds:
#
# ```bash
# uae-tf select --dataset mice_protein
# ```
#
# It measures duplication, noise of several kinds and the attacks for the same number of
# updates, and says which of them the examples beat. What we found stands in
# [docs/RESULTS.md](../docs/RESULTS.md).
