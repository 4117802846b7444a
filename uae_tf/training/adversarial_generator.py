"""Adversarial networks that generate adversarial examples."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from ..losses import kl_divergence
from ..ops import l2_norm, squared_norm
from ..types import Samples
from .arrays import check_choice
from .consistency import ConsistencyTraining, known_shape

#: Who ascends the divergence and who descends the reconstruction error.
ROLES = ("split", "joint", "anchored")
_STREAM = 2


@keras.saving.register_keras_serializable("uae_tf")
class AdversarialGeneratorTraining(ConsistencyTraining):
    """Trains a classifier against a generator of adversarial examples.

    ``min_C max_G  L_nll(C) + alpha L_adv(G, C) - lambda L_rec(G)`` with
    ``L_adv = mean KL(C(x) || C(G(x, z)))`` and ``L_rec = mean ||x - G(x, z)||^2`` over
    unlabelled x. Each update takes one step of G, then one of C on new examples of the
    same z. A generator that reconstructs should be an autoencoder by then: see
    :meth:`AdversarialExampleGenerator.pretrain`.

    For images take a generator of bounded changes, as
    :meth:`AdversarialExampleGenerator.bounded_dense` makes it, with ``roles="joint"``
    and ``stop_gradient=True``; lambda has no effect there.

    Args:
        classifier: a built model that returns logits. It is trained in place.
        generator: maps ``[x, z]`` to samples that the classifier takes; has
            ``encoder``, ``decoder`` and ``noise_dim``. It is trained in place.
        alpha: factor of the divergence, for both players.
        lambda_: factor of the reconstruction error.
        roles: how encoder and decoder share the work. "split": the encoder ascends
            ``alpha L_adv``, the decoder descends ``lambda L_rec`` (the slides'
            "differentiating the responsibilities"). "joint": both do both. "anchored":
            as split, but the encoder minds ``lambda L_rec`` too. In "split" lambda is
            no more than a factor of the decoder's rate, which Adam takes out again.
        ceiling: G gains nothing by pushing a sample's divergence above this many nats;
            "auto" is ln(classes), None no limit.
        stop_gradient: whether C moves its prediction of G(x, z) alone, as in VAT,
            or, by default and as the slides write it, that of x as well. The first is
            for bounded changes and for the two circles. Against a generator whose
            changes depend on the sample's class it drifts on images, and ends worse
            than the labels alone (docs/DECISIONS.md).
        entropy_minimization: as in :class:`ConsistencyTraining`.
        ramp_updates: as there; a tenth of all updates is a good start.
        seed: of the noise z.

    Logs: as :class:`ConsistencyTraining`, and of the generator ``reconstruction``,
    which is L_rec, and ``distance``, the mean ``||x - G||``.

    Raises:
        ValueError: a generator whose output does not fit the classifier's input, an
            unknown role or one that the generator cannot play, a factor below 0.

    Cost:
        per update: what VAT costs, and a pass with gradient through generator and
        classifier.

    Example:
        >>> import numpy as np, uae_tf
        >>> from uae_tf.models import AdversarialExampleGenerator, DenseClassifier
        >>> generator = AdversarialExampleGenerator.dense((2,))
        >>> model = AdversarialGeneratorTraining(DenseClassifier((2,), 2), generator)
        >>> model.compile("adam")
        >>> x, y = np.zeros((4, 2), "float32"), np.arange(4) % 2
        >>> data = uae_tf.SemiSupervisedDataset(x, y, np.zeros((50, 2), "float32"))
        >>> history = model.fit(data, verbose=0)
        >>> sorted(history.history)[:3]
        ['accuracy', 'consistency', 'distance']

    Reference:
        Ma et al., WISE 2019 (slides); SPEC 7.2. The paper's text was not available:
        optimisers, update ratio, where z enters and how the roles are split are ours.
    """

    batch_parts = 2

    def __init__(
        self,
        classifier: keras.Model,
        generator: keras.Model,
        alpha: float = 1.0,
        lambda_: float = 1.0,
        roles: str = "split",
        ceiling: float | str | None = "auto",
        stop_gradient: bool = False,
        entropy_minimization: bool = False,
        ramp_updates: int = 0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        check_generator(generator, classifier)
        if roles != "joint" and not generator.encoder.trainable_variables:
            raise ValueError(
                'A generator whose encoder has no weights needs `roles="joint"`: with '
                f"roles={roles!r} its decoder would not fool the classifier."
            )
        for name, value in {"alpha": alpha, "lambda_": lambda_}.items():
            if not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received: {value}")
        super().__init__(
            classifier, alpha, entropy_minimization, ramp_updates, seed, **kwargs
        )
        self.generator = generator
        self.alpha = alpha
        self.lambda_ = lambda_
        self.roles = check_choice("roles", roles, ROLES)
        self.ceiling = ceiling
        self.stop_gradient = stop_gradient

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: Any = None,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets both optimizers.

        Args:
            optimizer: of the classifier.
            loss: as in :meth:`ConsistencyTraining.compile`.
            generator_optimizer: default Adam of rate 2e-4 and beta_1 0.5.
            **kwargs: as there.
        """
        if generator_optimizer is None:
            generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.generator_optimizer = generator_optimizer
        super().compile(optimizer, loss, **kwargs)
        self.generator_optimizer.build(self.generator.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        """Returns what ``compile_from_config`` needs to restore both optimizers."""
        config = super().get_compile_config()
        if config:
            optimizer = keras.saving.serialize_keras_object(self.generator_optimizer)
            config["generator_optimizer"] = optimizer
        return config

    def targets(self, logits: tf.Tensor) -> tf.Tensor:
        return super().targets(logits) if self.stop_gradient else logits

    def partners(self, x: Samples, logits: tf.Tensor, given: Samples | None) -> Samples:
        del given
        z = self.draw_normal((tf.shape(x)[0], self.generator.noise_dim), _STREAM)
        self.generator_step(x, z, logits)
        return self.generate(x, z)

    def generator_step(self, x: Samples, z: tf.Tensor, logits: tf.Tensor) -> None:
        """Moves the generator once, the classifier held fixed.

        Args:
            x: ``(batch, *shape)``.
            z: ``(batch, noise_dim)``.
            logits: ``(batch, classes)``, the classifier's for ``x``.
        """
        encoder, decoder = self.generator.encoder, self.generator.decoder
        with tf.GradientTape(persistent=True) as tape:
            examples = decoder([encoder(x, training=True), z], training=True)
            change = tf.cast(examples, tf.float32) - tf.cast(x, tf.float32)
            squares = squared_norm(change)
            divergence = kl_divergence(logits, self.passive_logits(examples))
            gain = self.alpha * tf.reduce_mean(self._capped(divergence))
            cost = self.lambda_ * tf.reduce_mean(squares)
            encoder_loss, decoder_loss = {
                "split": (-gain, cost),
                "joint": (cost - gain, cost - gain),
                "anchored": (cost - gain, cost),
            }[self.roles]
            scale = self.generator_optimizer.scale_loss
            encoder_loss, decoder_loss = scale(encoder_loss), scale(decoder_loss)
        gradients = [
            tape.gradient(loss, [variable.value for variable in part])
            for loss, part in (
                (encoder_loss, encoder.trainable_variables),
                (decoder_loss, decoder.trainable_variables),
            )
        ]
        del tape
        variables = encoder.trainable_variables + decoder.trainable_variables
        # Of a frozen generator there are none, which Keras's optimizers refuse.
        if variables:
            pairs = zip([*gradients[0], *gradients[1]], variables, strict=True)
            self.generator_optimizer.apply_gradients(pairs)
        self.record(
            x,
            reconstruction=tf.reduce_mean(squares),
            distance=tf.reduce_mean(l2_norm(change)),
        )

    def generate(self, x: Samples, z: tf.Tensor, training: bool = True) -> Samples:
        """Examples ``G(x, z)``, ``(batch, *shape)``, in the dtype of ``x``."""
        with keras.StatelessScope():
            return tf.cast(self.generator([x, z], training=training), x.dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["weight"]
        return {
            **config,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "alpha": self.alpha,
            "lambda_": self.lambda_,
            "roles": self.roles,
            "ceiling": self.ceiling,
            "stop_gradient": self.stop_gradient,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialGeneratorTraining:
        """Returns a model with the settings of ``get_config``."""
        deserialize = keras.saving.deserialize_keras_object
        parts = {
            name: deserialize(config[name]) for name in ("classifier", "generator")
        }
        return cls(**{**config, **parts})

    def _capped(self, divergence: tf.Tensor) -> tf.Tensor:
        if self.ceiling is None:
            return divergence
        is_auto = self.ceiling == "auto"
        limit = math.log(self.num_classes) if is_auto else self.ceiling
        return tf.minimum(divergence, limit)

    def _term_names(self) -> list[str]:
        names = super()._term_names()
        generator = ["reconstruction", "distance"] if self.weight > 0 else []
        return [*names, *generator]


def check_generator(generator: keras.Model, classifier: keras.Model) -> None:
    """Refuses a generator that does not make samples for the classifier.

    Raises:
        TypeError: it lacks ``encoder``, ``decoder`` or ``noise_dim``.
        ValueError: its input or output has another shape than the classifier's input.
    """
    if not all(hasattr(generator, n) for n in ("encoder", "decoder", "noise_dim")):
        raise TypeError(
            "`generator` must have `encoder`, `decoder` and `noise_dim`, as an "
            f"AdversarialExampleGenerator has. Received: {generator!r}"
        )
    wanted = known_shape(classifier)
    shapes = {
        "input": tuple(generator.encoder.input_shape[1:]),
        "output": tuple(generator.decoder.output_shape[1:]),
    }
    for name, shape in shapes.items():
        if shape != wanted:
            raise ValueError(
                f"The generator's {name} does not fit the classifier's input. "
                f"Expected samples of shape {wanted}, as {classifier.name!r} takes "
                f"them. Received: a generator with {name} shape {shape}."
            )
