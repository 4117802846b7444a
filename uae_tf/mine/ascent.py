"""Function-space training of a collapsed critic, many samples at once.

While a critic is trained at one iterate of the attack its inputs u_i and v_i do not
move. A gradient step on A changes a response ``a_j = A u_j`` by
``rate * sum_i g_i (u_i . u_j)`` with ``g_i = dI/da_i``: the step needs the K x K Gram
matrix and never A itself. The same holds for B. This is plain gradient ascent on A, B,
w and the bias, exactly, at ``K^2 H`` a step instead of ``K d H``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from ..ops import samples_first, samples_last
from ..types import PerSample
from .bounds import Bound
from .pairing import Pairing, Scores

# One chunk of samples should stay in a core's cache during the inner steps; measured
# best between 1.5 and 3 MB on x86 with 1 MB of second-level cache a core.
_CHUNK_BYTES = 2_000_000


class Critic(NamedTuple):
    """Responses and output weights of one collapsed critic per sample.

    Attributes:
        a: ``(batch, H, K)``, ``A u_k``.
        b: ``(batch, H, K)``, ``B v_k``.
        output: ``(batch, H)``, w.
        bias: ``(batch, H)``.
    """

    a: tf.Tensor
    b: tf.Tensor
    output: tf.Tensor
    bias: tf.Tensor


class Ascent(NamedTuple):
    """What a number of inner steps leaves behind.

    Attributes:
        critic: the trained critic.
        b_step: ``(batch, H, K)``, the sum of ``rate * dI/db`` over the steps: explicit
            weights follow by ``B += b_step @ v``.
        value: ``(batch,)`` nats, the bound after the last step.
        b_gradient: ``(batch, H, K)``, ``dI/db`` at that value.
    """

    critic: Critic
    b_step: tf.Tensor
    value: PerSample
    b_gradient: tf.Tensor


@dataclass(frozen=True)
class CriticTrainer:
    """Gradient ascent on a bound, in function space.

    Args:
        bound: one of :mod:`uae_tf.mine.bounds`.
        pairing: one of :mod:`uae_tf.mine.pairing`.
        num_steps: inner steps at every iterate.
        warmup_steps: inner steps before the first iterate, on the start noise. A critic
            that is still learning what it sees rates early iterates as less similar,
            whatever they are. Rounded up to whole rounds of ``num_steps``.
        learning_rate: step size of the ascent, for views of unit mean square norm.
        jit_compile: compile the inner steps with XLA. On a CPU this is 3 to 5 times
            faster than op by op: the steps are chains of small element-wise ops.
    """

    bound: Bound
    pairing: Pairing
    num_steps: int
    warmup_steps: int
    learning_rate: float
    jit_compile: bool = True

    def __post_init__(self) -> None:
        compiled = tf.function(
            self._ascend, autograph=False, jit_compile=self.jit_compile
        )
        object.__setattr__(self, "_compiled", compiled)

    def __call__(
        self, critic: Critic, gram_u: tf.Tensor, gram_v: tf.Tensor, iteration: tf.Tensor
    ) -> Ascent:
        """Trains ``critic`` at one iterate.

        Args:
            critic: one critic per sample.
            gram_u: ``(batch, K, K)``, inner products of the views of x.
            gram_v: ``(batch, K, K)``, inner products of the views of x + delta.
            iteration: of the attack; at 0 the warm-up steps come on top.
        """
        rounds = self.rounds_at(iteration)

        def again(i: tf.Tensor, ascent: Ascent) -> tuple[tf.Tensor, Ascent]:
            new = self._round(ascent.critic, gram_u, gram_v)
            return i + 1, new._replace(b_step=ascent.b_step + new.b_step)

        none = tf.zeros_like(critic.b)
        start = Ascent(critic, none, tf.zeros_like(critic.bias[:, 0]), none)
        _, ascent = tf.while_loop(
            lambda i, _: i < rounds, again, (tf.constant(0), start)
        )
        return ascent

    def _round(self, critic: Critic, gram_u: tf.Tensor, gram_v: tf.Tensor) -> Ascent:
        size = critic.a.shape[0]
        if size is None:
            # A graph for batches of any size, as an exported one. XLA would compile a
            # program for every size that comes, and needs a server built with it.
            return self._ascend(critic, gram_u, gram_v)
        if not self.jit_compile:
            return self._compiled(critic, gram_u, gram_v)
        chunk = self._chunk_size(critic)
        # XLA runs a small program on one core: independent chunks use the others.
        parts = [
            self._compiled(*_rows((critic, gram_u, gram_v), start, start + chunk))
            for start in range(0, size, chunk)
        ]
        return tf.nest.map_structure(lambda *rows: tf.concat(rows, axis=0), *parts)

    def rounds_at(self, iteration: tf.Tensor) -> tf.Tensor:
        """Rounds of ``num_steps`` inner steps at an iteration of the attack.

        A fixed number of steps a round: XLA compiles a loop of known length into code
        twice as fast, and the warm-up needs no program of its own.
        """
        warmup = -(-self.warmup_steps // self.num_steps)
        return 1 + tf.where(iteration > 0, 0, warmup)

    def _chunk_size(self, critic: Critic) -> int:
        size, hidden, pairs = critic.a.shape
        partners = self.pairing.num_partners(pairs)
        bytes_per_sample = 4 * pairs * (partners * hidden + 2 * pairs)
        largest = max(1, _CHUNK_BYTES // bytes_per_sample)
        fewest = max(-(-size // largest), min(2, size))
        # Equal chunks share one compiled program; a rest would cost another.
        equal = (n for n in range(fewest, 2 * fewest) if size % n == 0)
        return -(-size // next(equal, fewest))

    def evaluate(
        self, critic: Critic, step: int | tf.Tensor = 0
    ) -> tuple[PerSample, Critic]:
        """The bound ``(batch,)`` and its gradient with respect to the critic."""
        return self._evaluate(self.pairing, critic, step)

    def _evaluate(
        self, score: Callable[..., Scores], critic: Critic, step: int | tf.Tensor
    ) -> tuple[PerSample, Critic]:
        with tf.GradientTape() as tape:
            tape.watch(critic)
            value = self.bound(score(*critic, step))
        return value, Critic(*tape.gradient(value, list(critic)))

    def _ascend(self, critic: Critic, gram_u: tf.Tensor, gram_v: tf.Tensor) -> Ascent:
        rate, score, multiply = self.learning_rate, self.pairing.score, tf.matmul
        if self.pairing.samples_last:
            # Once before and once after the steps, in place of strides at every step.
            critic = Critic(*map(samples_last, critic))
            gram_u, gram_v = samples_last(gram_u), samples_last(gram_v)
            multiply = _multiply_samples_last

        def step(
            i: tf.Tensor, critic: Critic, b_step: tf.Tensor
        ) -> tuple[tf.Tensor, Critic, tf.Tensor]:
            _, gradient = self._evaluate(score, critic, i)
            moved = Critic(
                critic.a + rate * multiply(gradient.a, gram_u),
                critic.b + rate * multiply(gradient.b, gram_v),
                critic.output + rate * gradient.output,
                critic.bias + rate * gradient.bias,
            )
            return i + 1, moved, b_step + rate * gradient.b

        _, critic, b_step = tf.while_loop(
            lambda i, *_: i < self.num_steps,
            step,
            (tf.constant(0), critic, tf.zeros_like(critic.b)),
        )
        value, gradient = self._evaluate(score, critic, self.num_steps)
        b_gradient = gradient.b
        if self.pairing.samples_last:
            critic = Critic(*map(samples_first, critic))
            b_step, b_gradient = samples_first(b_step), samples_first(b_gradient)
        return Ascent(critic, b_step, value, b_gradient)


def _multiply_samples_last(rows: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    return tf.einsum("hkb,klb->hlb", rows, gram)


def _rows(tensors: tuple, start: int, stop: int) -> tuple:
    return tf.nest.map_structure(lambda t: t[start:stop], tensors)
