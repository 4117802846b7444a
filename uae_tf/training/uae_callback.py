"""Adversarial examples made anew against the current model while `fit` goes on."""

import os
import warnings
from typing import Any

import keras
import numpy as np

from ..attacks import Attack
from ..attacks.batches import check_samples
from .arrays import check_choice, check_count
from .augmented_dataset import AugmentedDataset
from .phases import PhaseRecord, PhaseSchedule, empty_logs
from .regeneration import FAILED, MODES, labels_for, regenerate
from .seeds import align_seed_generators
from .state import StateStore, TrainingState, fingerprint
from .summaries import PhaseSummaries


class UAECallback(keras.callbacks.Callback):
    """Fills the slots of an `AugmentedDataset` anew at the end of each phase of `fit`.

    Training on adversarial examples of a model that has since moved on wears off.
    This callback attacks the *current* model between two epochs, puts the examples
    into the slots and lets `fit` go on. Nothing is attacked after the last epoch; a
    later `fit` begins with what is due. Where an epoch has so many updates that
    examples go stale within it, as in adversarial training on large data, give the
    dataset `samples_per_epoch`: a phase attacks the samples that it visits.

    Args:
        data: the dataset given to `fit`.
        attack: an attack on the model in training (or on a part of it); its weights at
            the time count, with `training=False`. An attack on another model is
            allowed, with a warning: its examples only transfer.
        phase_epochs: epochs per phase, default 10. Unused with `monitor`.
        warmup_epochs: epochs before the first examples; 0 attacks before the first
            epoch. Default None: the first phase is as long as the others.
        monitor: name of a metric, such as `"val_loss"`, whose plateau ends a phase.
        patience: epochs without improvement of `monitor` that make a plateau.
        fraction: part of the phase's samples that are attacked, in (0, 1].
        mode: `"replace"` fills every copy anew, a failed attack puts the sample back;
            `"accumulate"` fills one copy per phase, the oldest, so that examples of
            the last `data.copies` phases are trained on; `"keep"` attacks only
            samples that have no example yet.
        state_path: a JSON file, with `.npz` files beside it, that lets a run resumed by
            `BackupAndRestore` end as an uninterrupted one. Must lie outside that
            callback's directory.
        log_dir: TensorBoard directory for a scalar of each number and a picture.
        verbose: 0, 1 (progress bar), 2 (one line per phase), or `"auto"`: as `fit`.
        batch_size: samples per compiled call of the attack, default 256.
        monitor_mode: `"min"`, `"max"`, or `"auto"`: `"max"` for names that end in acc,
            accuracy or auc.
        failed: what a failed attack leaves in the slot: `"sample"` (default, the
            paper's rule) or `"attempt"`, its best one. Adversarial training wants
            attempts: what the classifier withstands, it should go on withstanding.

    Attributes:
        history: list of `PhaseRecord`, one for each regeneration.

    Logs: `uae_phase`, `uae_success_rate`, `uae_similarity`, `uae_l2`, `uae_seconds` of
    the last phase at every epoch; before the first NaN, and 0 for `uae_phase`.

    Raises:
        TypeError: `data` is no `AugmentedDataset`.
        ValueError: a number or choice out of range; `data` lies outside the attack's
            bounds, or lacks the labels that its criterion compares with; `fit` was
            given other data or `steps_per_epoch`; `monitor` is not among the logs; a
            `state_path` that is misplaced or belongs to another run.

    Randomness: examples follow from the weights, `attack.seed` and the phase; the order
    of an epoch from `data.seed` and the epoch. Counters of the model's seed generators
    (dropout, noise) are set at the start of each epoch, because weight files lack them.
    With `monitor`, put this callback before `BackupAndRestore`: otherwise a run killed
    between the two loses one value of the metric.

    Example:
        >>> import numpy as np
        >>> from uae_tf.attacks import GaussianNoise
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
        >>> model.compile("sgd", "mse")
        >>> data = AugmentedDataset(np.full((8, 4), 0.5), batch_size=8)
        >>> callback = UAECallback(data, GaussianNoise(0.1), 2)
        >>> history = model.fit(data, epochs=5, callbacks=[callback], verbose=0)
        >>> [record.epoch for record in callback.history]
        [2, 4]

    Reference:
        Hsu et al., AAAI 2022, section 4 (data augmentation); phases within one
        training are ours.
    """

    def __init__(
        self,
        data: AugmentedDataset,
        attack: Attack,
        phase_epochs: int = 10,
        warmup_epochs: int | None = None,
        monitor: str | None = None,
        patience: int = 5,
        fraction: float = 1.0,
        mode: str = "replace",
        state_path: str | os.PathLike[str] | None = None,
        log_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        batch_size: int = 256,
        monitor_mode: str = "auto",
        failed: str = "sample",
    ) -> None:
        super().__init__()
        if not isinstance(data, AugmentedDataset):
            raise TypeError(
                "`data` must be the AugmentedDataset that `fit` is given. Received "
                f"{type(data).__name__}. Wrap arrays: AugmentedDataset(x, y)."
            )
        if not 0 < fraction <= 1:
            raise ValueError(f"`fraction` must lie in (0, 1]. Received {fraction!r}.")
        self.data = data
        self.attack = attack
        self.fraction = float(fraction)
        self.mode = check_choice("mode", mode, MODES)
        self.failed = check_choice("failed", failed, FAILED)
        self.verbose = check_choice("verbose", verbose, ("auto", 0, 1, 2))
        self.batch_size = check_count("batch_size", batch_size)
        self.schedule = PhaseSchedule(
            phase_epochs=check_count("phase_epochs", phase_epochs),
            warmup_epochs=(
                None
                if warmup_epochs is None
                else check_count("warmup_epochs", warmup_epochs, minimum=0)
            ),
            monitor=monitor,
            patience=check_count("patience", patience),
            maximize=_is_maximized(monitor, monitor_mode),
        )
        self._summaries = PhaseSummaries(log_dir)
        self._store = StateStore(state_path, self._settings())
        self._state = TrainingState()
        self._trained: int | None = None
        self._is_fit_new = True
        self._was_interrupted = False

    @property
    def history(self) -> list[PhaseRecord]:
        """One record for each regeneration, oldest first."""
        return self._state.records

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that `fit` draws whole epochs of samples that can be attacked."""
        steps = (self.params or {}).get("steps")
        if steps is not None and steps != len(self.data):
            raise ValueError(
                "`fit` must be given the `data` of this callback, without "
                f"`steps_per_epoch`. Expected {len(self.data)} batches per epoch. "
                f"Received {steps}."
            )
        check_samples(self.data.x, self.attack.bounds)
        criterion = getattr(self.attack, "criterion", None)
        # The model need not be built yet; the first phase looks again.
        if criterion is not None and criterion.model.built:
            criterion.check(self.data.x, labels_for(self.data, self.attack))
        # Which epoch a resumed run begins with is known after all callbacks had
        # their `on_train_begin`.
        self._is_fit_new = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Makes new examples where they are due, before the epoch draws a batch."""
        if self._is_fit_new:
            self._begin_fit(epoch)
        trained = self._trained = epoch + self._state.offset
        # Here, not at the end of the epoch before: a run killed in between is resumed
        # at this point, whatever the order of the callbacks.
        if self.schedule.is_due(trained, self._state.last_epoch, self._state.monitored):
            self._regenerate(trained)
        self.data.set_epoch(trained)
        align_seed_generators(self.model, trained)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the numbers of the last phase to the logs."""
        if self.data.is_epoch_pending:
            raise ValueError(
                "`fit` must be given the `data` of this callback, drawn afresh in each "
                "epoch. Received other data: this epoch took no batch from it."
            )
        self._trained = epoch + 1 + self._state.offset
        logs = {} if logs is None else logs
        if self.schedule.monitor is not None:
            self._remember_monitored(self.schedule.monitor, logs)
        logs.update(self.history[-1].as_logs() if self.history else empty_logs())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the model ready for a later `fit`."""
        self._was_interrupted = False
        self._summaries.close()
        # BackupAndRestore leaves it set, and a later `fit` would then skip epochs.
        self.model._initial_epoch = None

    def _begin_fit(self, epoch: int) -> None:
        is_resumed = epoch > 0 and (self._trained is None or self._was_interrupted)
        stored = self._store.load(epoch, self.data) if is_resumed else None
        if stored is not None:
            self._state = stored
        elif is_resumed:
            self._state.forget_after(epoch + self._state.offset)
            self._warn_if_state_is_missing(epoch)
        else:
            self._state.offset = (self._trained or 0) - epoch
        if self._trained is None and stored is None:
            self._store.start_afresh(self._state, self.data)
        else:
            self._store.save(self._state, self.data)
        self._is_fit_new = False
        self._was_interrupted = True

    def _regenerate(self, trained: int) -> None:
        if not self.history:
            self._warn_if_model_is_another()
        verbose = self._verbosity()
        bar = None
        if verbose == 1:
            print(f"\nPhase {len(self.history) + 1}: attacking the current model")
            bar = keras.utils.Progbar(None, unit_name="sample")

        def report(done: int, total: int) -> None:
            if bar is not None:
                bar.target = total
                bar.update(done, finalize=done == total)

        record = regenerate(
            self.data,
            self.attack,
            phase=len(self.history),
            epoch=trained,
            rows=self._visited(trained),
            fraction=self.fraction,
            mode=self.mode,
            batch_size=self.batch_size,
            progress=report,
            failed=self.failed,
        )
        self._state.records.append(record)
        self._store.save(self._state, self.data, has_new_slots=True)
        self._summaries.write(record, self.data)
        if verbose:
            print(
                f"Phase {record.phase}: {record.attacked} samples attacked, success "
                f"rate {record.success_rate:.3f}, similarity {record.similarity:.4g}, "
                f"L2 {record.l2:.4g}, {record.seconds:.1f} s"
            )

    def _visited(self, trained: int) -> np.ndarray:
        """The samples of the phase that begins; of all epochs where its end is open."""
        data, schedule = self.data, self.schedule
        if schedule.monitor is not None or data.samples_per_epoch == data.num_samples:
            return np.arange(data.num_samples)
        epochs = range(trained, trained + schedule.phase_epochs)
        return np.unique(np.concatenate([data.rows_of_epoch(e) for e in epochs]))

    def _remember_monitored(self, name: str, logs: dict[str, Any]) -> None:
        if name not in logs:
            raise ValueError(
                f"`monitor` must be among the logs of the epoch: {sorted(logs)}. "
                f"Received {name!r}. A metric that begins with 'val_' needs "
                "`validation_data` in `fit`."
            )
        self._state.monitored[self._trained or 0] = float(logs[name])
        self._store.save(self._state, self.data)

    def _warn_if_state_is_missing(self, epoch: int) -> None:
        if self._store.path is not None:
            warnings.warn(
                f"`fit` begins at epoch {epoch}, but there is no state of this "
                f"callback at {str(self._store.path)!r}: phases are counted from "
                "here, and the run will differ from an uninterrupted one.",
                stacklevel=2,
            )

    def _warn_if_model_is_another(self) -> None:
        attacked = getattr(getattr(self.attack, "criterion", None), "model", None)
        if attacked is None:
            return
        ours = {id(variable) for variable in self.model.variables}
        if not any(id(variable) in ours for variable in attacked.variables):
            warnings.warn(
                f"`attack` is made for the model {attacked.name!r}, which shares no "
                f"weight with {self.model.name!r} in training: its examples will not "
                "follow the training. Build the attack on the model you fit.",
                stacklevel=2,
            )

    def _verbosity(self) -> int:
        if self.verbose != "auto":
            return int(self.verbose)
        verbose = (self.params or {}).get("verbose", 0)
        return 1 if verbose == "auto" else int(verbose)

    def _settings(self) -> dict[str, Any]:
        config = getattr(self.attack, "get_config", dict)()
        return {
            "attack": {"class": type(self.attack).__name__, **config},
            "data": fingerprint(self.data),
            "fraction": self.fraction,
            "mode": self.mode,
            "failed": self.failed,
            "schedule": vars(self.schedule),
        }


def _is_maximized(monitor: str | None, monitor_mode: str) -> bool:
    check_choice("monitor_mode", monitor_mode, ("auto", "min", "max"))
    if monitor_mode == "auto":
        return (monitor or "").endswith(("acc", "accuracy", "auc"))
    return monitor_mode == "max"
