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
# # Supervised attacks: fool a classifier, keep the image
#
# The other notebooks look for examples that look *unlike* $x$. With labels the same
# attack asks for the opposite: $x + \delta$ should still look like $x$, and be
# classified otherwise,
#
# $$\max_\delta\; I(x, x+\delta)\quad\text{subject to}\quad
# f(x+\delta) = \mathrm{logit}_y - \max_{j \ne y} \mathrm{logit}_j + \kappa \le 0.$$
#
# All that changes is the criterion. It needs no GPU and no download, and takes about
# half a minute.

# %%
import keras
import numpy as np
import tensorflow as tf
from IPython.display import display

import uae_tf
from uae_tf.evaluation import error_rate, structural_similarity
from uae_tf.experiments.report.supervised import examples_grid, search_traces

SEED = 0
# TensorFlow warns of each new model's compilation.
tf.get_logger().setLevel("ERROR")

# %% [markdown]
# ## A classifier that returns logits
# Any built Keras model will do, if it returns logits: one that ends in a softmax is
# refused. This is a small form of Carlini and Wagner's network, on 8 x 8 digits.


# %%
def classifier():
    keras.utils.set_random_seed(SEED)
    model = uae_tf.models.CarliniWagnerClassifier(
        (8, 8, 1), filters=(8, 16), units=32, dropout=0.0, padding="same"
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


data = uae_tf.datasets.load("digits")
model = classifier()
model.fit(data.x_train, data.y_train, batch_size=64, epochs=10, verbose=0)
print(f"test error {error_rate(model, data.x_test, data.y_test):.1%}")

# %% [markdown]
# As in the paper, what is attacked is what the classifier gets right.

# %%
right = model.predict(data.x_test, verbose=0).argmax(axis=1) == data.y_test
x, y = data.x_test[right][:24], data.y_test[right][:24]

# %% [markdown]
# ## MinMax, and PGD beside it
# `UntargetedMargin` compares logits with labels; everything else is as before.

# %%
criterion = uae_tf.UntargetedMargin(model)
attacks = {
    "minmax": uae_tf.MinMaxAttack.from_preset(
        "paper", criterion, uae_tf.MINE(inner_steps=5), steps=60
    ),
    "pgd, ε = 0.3": uae_tf.PGDAttack(criterion, epsilon=0.3, steps=40),
}
results = {name: attack(x, y, trace=True) for name, attack in attacks.items()}
for name, result in results.items():
    ssim = structural_similarity(x, result.examples).mean()
    print(f"{name:>13}: {result}, SSIM {ssim:.3f}")

# %%
display(
    examples_grid(
        x[:8],
        {name: result.examples[:8] for name, result in results.items()},
        {name: result.success[:8] for name, result in results.items()},
    )
)

# %% [markdown]
# PGD uses the whole ball, MinMax as little of it as the margin asks for. What MinMax
# has found by each iteration, and how near its similarity is to the largest value it
# can have, $\ln K$ for the $K = 8$ feature maps:

# %%
trace = results["minmax"].trace
feasible = trace["criterion"][1:] <= 0
best = np.maximum.accumulate(
    np.where(feasible, trace["similarity"][1:], -np.inf), axis=0
)
so_far = (
    np.arange(1, 61),
    np.maximum.accumulate(feasible, axis=0),
    np.where(np.isfinite(best), best, np.nan),
)
display(search_traces({"minmax": so_far}, bound=np.log(8)))

# %% [markdown]
# ## Targets
# `TargetedMargin` takes *target* classes as `y`. A target that the model gives already
# would be a success that moved nothing, so it is refused:

# %%
targeted = uae_tf.PGDAttack(uae_tf.TargetedMargin(model), epsilon=0.5, steps=40)
print(targeted(x, (y + 1) % 10))
try:
    targeted(x, y)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Adversarial training inside `fit`
# Labels are kept with the examples, so the callback of the second notebook is
# adversarial training for any Keras classifier. `failed="attempt"` also trains on
# attempts that the classifier withstood.

# %%
EPSILON = 0.1


def withstood(model):
    attack = uae_tf.PGDAttack(
        uae_tf.UntargetedMargin(model), epsilon=EPSILON, steps=20, restarts=2
    )
    return 1 - attack(data.x_test, data.y_test, batch_size=360).success_rate


hardened = classifier()
augmented = uae_tf.AugmentedDataset(data.x_train, data.y_train, batch_size=64)
training = uae_tf.UAECallback(
    augmented,
    uae_tf.PGDAttack(uae_tf.UntargetedMargin(hardened), epsilon=EPSILON, steps=5),
    phase_epochs=1,
    failed="attempt",
    batch_size=500,
)
hardened.fit(augmented, epochs=12, callbacks=[training], verbose=0)
for name, each in (("plain", model), ("hardened", hardened)):
    clean = 1 - error_rate(each, data.x_test, data.y_test)
    print(f"{name:>8}: right on {clean:.1%}, under PGD-20 on {withstood(each):.1%}")

# %% [markdown]
# The hardened one has had twice the updates and more; `docs/RESULTS.md` has the same on
# MNIST, judged by PGD-40 with restarts.
#
# ## The same on MNIST
# `models/` has a trained classifier, so nothing needs to be trained. Set `FULL = True`
# where tensorflow-datasets can find MNIST.

# %%
FULL = False
if FULL:
    from uae_tf.experiments.supervised.bench import load_classifier

    mnist = uae_tf.datasets.load("mnist")
    trained = load_classifier("../models/mnist_classifier/1")
    kept = trained.predict(mnist.x_test[:60], verbose=0).argmax(1) == mnist.y_test[:60]
    images, labels = mnist.x_test[:60][kept], mnist.y_test[:60][kept]
    attack = uae_tf.MinMaxAttack.from_preset(
        "paper", uae_tf.UntargetedMargin(trained), uae_tf.MINE(inner_steps=1), steps=200
    )
    found = attack(images, labels, progress=True)
    print(found)
    display(
        examples_grid(
            images[:8], {"minmax": found.examples[:8]}, {"minmax": found.success[:8]}
        )
    )

# %% [markdown]
# ## The tables of the paper
# ```bash
# uae-tf supervised --dataset digits --samples 50 --steps 90        # a quick look
# uae-tf supervised --classifier models/mnist_classifier/1          # Table 3, Figure 2
# uae-tf supervised --table epsilon-sweep --classifier models/mnist_classifier/1
# uae-tf supervised --table quality                                 # Table 2
# uae-tf supervised --table robust
# ```
