import numpy as np
import pytest

from uae_tf.optimizers import LinearDecay, simclr_schedule


def test_the_paper_s_schedule_warms_up_to_the_peak_and_ends_at_zero():
    per_epoch = 97
    rate = simclr_schedule(1.0, 512, 1000 * per_epoch, 10 * per_epoch)
    rates = [float(rate(epoch * per_epoch)) for epoch in (0, 5, 10, 505, 1000)]
    np.testing.assert_allclose(rates, [0.0, 1.0, 2.0, 1.0, 0.0], atol=1e-5)


def test_without_warm_up_it_starts_at_the_peak():
    rate = simclr_schedule(0.5, 256, 10)
    rates = [float(rate(step)) for step in (0, 5, 10)]
    np.testing.assert_allclose(rates, [0.5, 0.25, 0.0], atol=1e-7)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="warmup_steps must be"):
        simclr_schedule(1.0, 512, 10, 10)
    with pytest.raises(ValueError, match="above 0"):
        simclr_schedule(1.0, 0, 10)
    with pytest.raises(ValueError, match="updates must be at least 1"):
        LinearDecay(0.1, 0)


def test_the_learning_rate_falls_to_zero_in_the_second_half():
    decay = LinearDecay(0.1, 100)
    rates = [float(decay(step)) for step in (0, 50, 75, 100)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.0])
    assert LinearDecay(**decay.get_config()).updates == 100
