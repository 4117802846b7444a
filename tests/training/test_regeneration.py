"""What is recorded of a phase."""

import numpy as np

from uae_tf import AugmentedDataset
from uae_tf.attacks import AttackResult, GaussianNoise
from uae_tf.training.regeneration import regenerate

X = np.full((4, 2), 0.5, np.float32)


class Known(GaussianNoise):
    """Succeeds on every other sample, and is measured as it says."""

    def __call__(self, x, y=None, **_):
        success = np.arange(len(x)) % 2 == 0
        measured = np.where(success, 1.0, 100.0).astype(np.float32)
        return AttackResult(
            examples=x,
            success=success,
            similarity=measured,
            criterion=measured,
            l2=2 * measured,
            linf=measured,
            is_finite=np.ones(len(x), bool),
        )


def test_numbers_of_a_phase_are_those_of_its_successes():
    data = AugmentedDataset(X)
    record = regenerate(
        data,
        Known(0.1),
        phase=0,
        epoch=3,
        rows=np.arange(4),
        fraction=1.0,
        mode="replace",
        batch_size=4,
    )
    assert (record.phase, record.epoch, record.attacked) == (1, 3, 4)
    assert (record.success_rate, record.similarity, record.l2) == (0.5, 1.0, 2.0)
