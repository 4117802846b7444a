"""What goes wrong in a long run."""


class GenerationError(ValueError):
    """A run, its files or its workers are not as they should be; the text says how.

    The one kind of error that damaged or forged files of a run can cause.
    """


class SinkError(GenerationError):
    """A shard could not be written: a full disk, a folder that went away."""
