"""Random state of a model at the start of an epoch, without a file to keep it in."""

import keras

#: Draws one epoch may make before its numbers meet those of the next.
_DRAWS_PER_EPOCH = 2**24


def align_seed_generators(model: keras.Model, epoch: int) -> None:
    """Sets the counter of each `SeedGenerator` to a value fixed by the epoch.

    Keras' weight files leave out the state of dropout and noise layers, so a run
    resumed by `BackupAndRestore` repeats the random numbers of its first epochs. With
    counters that depend on the epoch alone, it draws those of a straight run.

    Args:
        model: the model in training; its seeds stay as they are.
        epoch: zero-based number of the epoch about to begin. At 0 a fresh model keeps
            the state it has.
    """
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            seed = int(variable.numpy()[0])
            variable.assign([seed, epoch * _DRAWS_PER_EPOCH])
