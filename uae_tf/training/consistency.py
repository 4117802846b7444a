"""Semi-supervised training: predict a sample and a changed copy of it alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ..losses import entropy, kl_divergence
from ..models.adversarial import descend
from ..models.logits import check_logits, sample_shape
from ..types import Samples
from .arrays import check_count
from .guards import EpochStart, StopOnNonFinite


@keras.saving.register_keras_serializable("uae_tf")
class ConsistencyTraining(keras.Model):
    """Trains a classifier on few labels and on being consistent where there are none.

    ``L = L_nll(labelled) + weight * mean KL(p(x) || p(x'))`` over unlabelled x, where
    x' is a changed copy of x that should be predicted alike. Here x' comes with the
    data; :class:`VirtualAdversarialTraining` and :class:`AdversarialGeneratorTraining`
    make their own.

    ``fit`` takes a :class:`SemiSupervisedDataset`, or plain ``(x, y)``: then the
    labelled samples are the unlabelled ones too (supervised mode). ``predict`` and
    ``evaluate`` are the classifier's.

    Args:
        classifier: a built model that returns logits ``(batch, classes)``. It is
            trained in place.
        weight: factor of the consistency term; 0 leaves it out (supervised only).
        entropy_minimization: whether the mean entropy of the predictions of unlabelled
            samples is added, with factor 1.
        ramp_updates: updates over which the unlabelled terms grow from 0 to their
            factors. Default 0, none.
        seed: of all that is drawn per update: it follows from (seed, update).

    Logs: ``loss``, its terms ``nll``, ``consistency`` (nats) and, if asked for,
    ``entropy`` (nats), and the compiled metrics on labelled samples.

    Raises:
        TypeError: ``classifier`` is no Keras model.
        ValueError: it is not built or gives no logits; a weight below 0; data of
            another structure.
        FloatingPointError: a term became NaN or infinite; the message says which, and
            the weights are those of the last epoch that ended well.

    Batch statistics follow the labelled clean pass alone, and all passes over
    unlabelled samples use one dropout mask (SPEC 7.1.4): each of them runs in a Keras
    stateless scope of its own, which leaves nothing behind. So any layer will do.

    Example:
        >>> import numpy as np
        >>> from uae_tf import SemiSupervisedDataset
        >>> from uae_tf.models import DenseClassifier
        >>> model = ConsistencyTraining(DenseClassifier((2,), 2, (8,)))
        >>> model.compile("adam")
        >>> x, y = np.zeros((4, 2), "float32"), np.arange(4) % 2
        >>> data = SemiSupervisedDataset(x, y, x, examples=x + 0.1)
        >>> history = model.fit(data, verbose=0)
        >>> sorted(history.history)
        ['accuracy', 'consistency', 'loss', 'nll']

    Reference:
        SPEC 7.2.1, with the generator replaced by given examples.
    """

    #: How many arrays the x of a batch has when it is semi-supervised.
    batch_parts = 3

    def __init__(
        self,
        classifier: keras.Model,
        weight: float = 1.0,
        entropy_minimization: bool = False,
        ramp_updates: int = 0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = check_classifier(classifier)
        if not weight >= 0:
            raise ValueError(f"`weight` must be at least 0. Received: weight={weight}")
        self.classifier = classifier
        self.weight = weight
        self.entropy_minimization = entropy_minimization
        self.ramp_updates = check_count("ramp_updates", ramp_updates, minimum=0)
        self.seed = check_count("seed", seed, minimum=0)
        # A weight, so that a run resumed from a file counts on.
        self.epochs_trained = self.add_weight(
            name="epochs_trained",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
        )
        # A variable, so that a training with another seed can use the compiled step.
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.terms = {
            name: keras.metrics.Mean(name=name) for name in self._term_names()
        }
        self.built = True

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: Any = None,
        metrics: Sequence[Any] | None = None,
        jit_compile: Any = False,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer.

        Args:
            optimizer: of the classifier.
            loss: of labelled samples; default cross-entropy of logits and class
                numbers.
            metrics: on labelled samples; default the accuracy.
            jit_compile: as in Keras, but off by default: XLA is slower on CPUs here.
            **kwargs: further arguments of ``keras.Model.compile``.
        """
        if loss is None:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if metrics is None:
            metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        # Now, because Keras would build it for a generator's variables as well.
        self.optimizer.build(self.classifier.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the settings of ``get_compile_config``."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, x: Any = None, y: Any = None, **settings: Any) -> Any:
        """Trains, as ``keras.Model.fit``; see the class for the data.

        A resumed run draws the batches, noise and dropout masks of a straight one, a
        later `fit` goes on with those of later epochs.
        """
        callbacks = keras.tree.flatten(settings.pop("callbacks", None) or [])
        own = [
            EpochStart(x, self.epochs_trained),
            StopOnNonFinite([*self._term_names(), "loss"]),
        ]
        return super().fit(x, y, callbacks=[*own, *callbacks], **settings)

    def call(self, inputs: Samples, training: bool | None = None) -> tf.Tensor:
        return self.classifier(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Takes one step on a batch of labelled and unlabelled samples."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # What Keras does to arrays, but not to `tf.data`.
        x = keras.tree.map_structure(_as_floatx, x)
        labelled, unlabelled, given = self._parts(x)
        with tf.GradientTape() as tape:
            logits = self.classifier(labelled, training=True)
            nll = self.compute_loss(labelled, y, logits, sample_weight, training=True)
            added: dict[str, tuple[float, tf.Tensor]] = {}
            loss = nll
            if self.has_unlabelled_terms:
                added = self._unlabelled_terms(unlabelled, given, tape)
                extra = self.ramp() * sum(factor * t for factor, t in added.values())
                loss += tf.cast(extra, loss.dtype)
            scaled = self.optimizer.scale_loss(loss)
        descend(self.optimizer, tape, scaled, self.classifier.trainable_variables)
        self.record(labelled, nll=nll)
        self.record(unlabelled, **{name: term for name, (_, term) in added.items()})
        self._loss_metric.update_state(loss, sample_weight=tf.shape(labelled)[0])
        return self.compute_metrics(labelled, y, logits, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measures the classifier on one batch of labelled samples."""
        logs = super().test_step(data)
        return {name: value for name, value in logs.items() if name not in self.terms}

    @property
    def has_unlabelled_terms(self) -> bool:
        """Whether unlabelled samples play a part at all."""
        return self.weight > 0 or self.entropy_minimization

    def partners(self, x: Samples, logits: tf.Tensor, given: Samples | None) -> Samples:
        """The changed copies x' of unlabelled samples, without a gradient.

        Args:
            x: ``(batch, *shape)`` unlabelled samples.
            logits: ``(batch, classes)``, the classifier's for ``x``.
            given: ``(batch, *shape)``, what came with the data, or None.

        Returns:
            ``(batch, *shape)``.
        """
        del logits
        return x if given is None else given

    def targets(self, logits: tf.Tensor) -> tf.Tensor:
        """What the partners' prediction is drawn to: the clean one, held fixed."""
        return tf.stop_gradient(logits)

    def passive_logits(self, x: Samples) -> tf.Tensor:
        """Logits in training mode, with no trace left in the classifier's state."""
        # Each scope starts from the variables as they are: statistics are not
        # updated, and every pass of an update draws the same dropout mask.
        with keras.StatelessScope():
            return self.classifier(x, training=True)

    def ramp(self) -> tf.Tensor:
        """Factor in (0, 1] of the unlabelled terms at this update."""
        if not self.ramp_updates:
            return tf.constant(1.0)
        done = tf.cast(self._updates(), tf.float32) + 1.0
        return tf.minimum(1.0, done / self.ramp_updates)

    def draw_normal(self, shape: Any, stream: int) -> tf.Tensor:
        """Standard normal numbers that follow from (seed, update, stream)."""
        update = tf.cast(self._updates(), tf.int64)
        first = tf.cast(self.seed_generator.state.value[0], tf.int64) * 64 + stream
        return _as_floatx(tf.random.stateless_normal(shape, tf.stack([first, update])))

    def record(self, x: Samples, **terms: tf.Tensor) -> None:
        """Adds this update's value of each term to its mean over the epoch.

        Args:
            x: ``(batch, *shape)``, the samples that each value is a mean over.
            **terms: name of the term -> its value.
        """
        for name, value in terms.items():
            self.terms[name].update_state(value, sample_weight=tf.shape(x)[0])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "weight": self.weight,
            "entropy_minimization": self.entropy_minimization,
            "ramp_updates": self.ramp_updates,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConsistencyTraining:
        """Returns a model with the settings of ``get_config``."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(**{**config, "classifier": deserialize(config["classifier"])})

    def _unlabelled_terms(
        self, x: Samples, given: Samples | None, tape: tf.GradientTape
    ) -> dict[str, tuple[float, tf.Tensor]]:
        """Name -> (factor, value) of the terms over unlabelled samples."""
        logits = self.passive_logits(x)
        terms: dict[str, tuple[float, tf.Tensor]] = {}
        if self.weight > 0:
            with tape.stop_recording():
                partners = self.partners(x, logits, given)
            divergence = kl_divergence(
                self.targets(logits), self.passive_logits(partners)
            )
            terms["consistency"] = self.weight, tf.reduce_mean(divergence)
        if self.entropy_minimization:
            terms["entropy"] = 1.0, tf.reduce_mean(entropy(logits))
        return terms

    def _updates(self) -> tf.Tensor:
        # A variable, or a tensor where the optimizer collects gradients.
        return keras.ops.convert_to_tensor(self.optimizer.iterations)

    def _term_names(self) -> list[str]:
        names = ["nll"]
        if self.weight > 0:
            names.append("consistency")
        return [*names, "entropy"] if self.entropy_minimization else names

    def _parts(self, x: Any) -> tuple[Samples, Samples, Samples | None]:
        if not isinstance(x, list | tuple):
            return x, x, None
        if len(x) not in (2, self.batch_parts):
            raise ValueError(
                f"{type(self).__name__} takes batches ((labelled, unlabelled), labels)"
                f"{' with examples third' if self.batch_parts == 3 else ''}, or "
                f"(labelled, labels). Received: x of {len(x)} arrays. Make them with "
                "uae_tf.SemiSupervisedDataset."
            )
        return x[0], x[1], x[2] if len(x) == 3 else None

    @property
    def _loss_metric(self) -> keras.metrics.Metric:
        return next(metric for metric in self.metrics if metric.name == "loss")


def check_classifier(classifier: keras.Model) -> int:
    """Returns the number of classes of a model that can be trained here.

    Raises:
        TypeError: it is no Keras model.
        ValueError: it is not built, does not know the shape of its samples, or does
            not return logits.
    """
    if not isinstance(classifier, keras.Model):
        raise TypeError(
            "`classifier` must be a Keras model. Received: "
            f"{classifier!r} of type {type(classifier).__name__}"
        )
    if not classifier.built:
        raise ValueError(
            f"`classifier` must be built. Received {classifier.name!r} without "
            "weights: call it once on a batch, or give it a keras.Input."
        )
    return check_logits(classifier, known_shape(classifier))


def known_shape(classifier: keras.Model) -> tuple[int | None, ...]:
    """Returns the shape of one sample of a built model.

    Raises:
        ValueError: the model does not know it.
    """
    shape = sample_shape(classifier)
    if shape is None:
        raise ValueError(
            "`classifier` must know the shape of its samples. Received "
            f"{classifier.name!r}, which does not. Give it a property `input_shape`, "
            "such as (None, 28, 28, 1)."
        )
    return shape


def _as_floatx(tensor: tf.Tensor) -> tf.Tensor:
    is_floating = tf.as_dtype(tensor.dtype).is_floating
    return tf.cast(tensor, keras.config.floatx()) if is_floating else tensor
