"""A small gRPC server with TF-Serving's protocol, to try a repository out with."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from .models_config import model_names
from .repository import CONFIG, ModelRepository
from .served_model import ServedModel


class PredictionServer:
    """Answers ``Predict`` and ``GetModelMetadata`` on loopback, as TF-Serving does.

    A stand-in for tests, notebooks and load runs where the real server is not at hand:
    the protocol is TF-Serving's own, by the stubs of ``tensorflow-serving-api``; there
    is no batching, no reloading and no protection. For anything else use the image
    ``tensorflow/serving``. Requests may be as large as protobuf takes, 2 GiB; for
    answers above 4 MiB a client raises ``grpc.max_receive_message_length`` of its
    channel.

    Args:
        directory: a repository with a ``models.config``; of each model the latest
            version is served.
        workers: requests answered at the same time.

    Attributes:
        address: "127.0.0.1:PORT", once entered.

    Raises:
        ImportError: the extra ``serving`` is not installed.
        ValueError: a repository without models.

    Example::

        with uae_tf.serving.PredictionServer("models") as server:
            stub = PredictionServiceStub(grpc.insecure_channel(server.address))
    """

    def __init__(self, directory: str | os.PathLike[str], workers: int = 8) -> None:
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc

            from .prediction_service import PredictionService
        except ImportError as error:
            raise ImportError(
                "PredictionServer needs grpcio and tensorflow-serving-api: "
                "pip install 'uae-tf[serving]'"
            ) from error
        service = PredictionService(_models(Path(directory)))
        # Without gRPC's limit of 4 MiB, which TF-Serving lifts as well.
        options = [("grpc.max_receive_message_length", -1)]
        self._server = grpc.server(ThreadPoolExecutor(workers), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            service, self._server
        )
        self.address = ""

    def __enter__(self) -> PredictionServer:
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop(grace=1).wait()


def _models(directory: Path) -> dict[str, dict[int, ServedModel]]:
    """The latest version of each model, as TF-Serving chooses without a policy."""
    config, models = directory / CONFIG, {}
    for name in model_names(config.read_text()) if config.is_file() else []:
        repository = ModelRepository(directory, name)
        for version in repository.versions()[-1:]:
            path = repository.base_path / str(version)
            models[name] = {version: ServedModel(path)}
    if not models:
        raise ValueError(
            "`directory` must be a repository with models, as uae_tf.export makes it. "
            f"Received: {os.fspath(directory)!r}, which has none in its {CONFIG}."
        )
    return models
