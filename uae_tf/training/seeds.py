"""Random state of a model at the start of an epoch, without a file to keep it in."""

import keras

#: Keras takes counters modulo 2**31 - 2: so many epochs, of so many draws each.
_EPOCHS, _DRAW_BITS = 128, 24


def align_seed_generators(model: keras.Model, epoch: int) -> None:
    """Sets the counter of each `SeedGenerator` to a value fixed by the epoch.

    Keras' weight files leave out the state of dropout and noise layers, so a run
    resumed by `BackupAndRestore` repeats the random numbers of its first epochs. With
    counters that depend on the epoch alone, it draws those of a straight run.

    Args:
        model: the model in training; its seeds stay as they are.
        epoch: zero-based number of the epoch about to begin. At 0 a fresh model keeps
            the state it has.

    Any two of the first E epochs, E a power of two, are `2**31 / E` draws apart, or
    2**24 where E is below 128.
    """
    counter = _first_draw(epoch)
    for state in seed_states(model):
        state.assign([int(state.numpy()[0]), counter])


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """States of the generators that a model draws from, if it draws at all."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]


def _first_draw(epoch: int) -> int:
    # Once around, epochs begin halfway between those before, then at the quarters: in
    # steps of 2**24 for ever, epoch 128 would draw the numbers of epoch 0 again.
    rounds, place = divmod(epoch, _EPOCHS)
    between = int(f"{rounds:0{_DRAW_BITS}b}"[::-1], 2)
    return (place << _DRAW_BITS) + between
