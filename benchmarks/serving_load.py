"""Load on an exported model over gRPC: clients that ask as fast as they are answered.

Starts the stand-in server of `uae_tf.serving` on loopback in a process of its own, asks
it from several clients for a while and prints the requests per second, the median and
the 99th percentile of their latencies, and the ratio of the median to one direct call
of the same function. Exits with 1 if any request failed. With --address it asks a
server that is already there, such as tensorflow/serving.

Usage: python benchmarks/serving_load.py [--directory models] [--model mnist_dense]
    [--signature serving_default] [--rows 1] [--clients 8] [--seconds 30]
"""

import argparse
import json
import multiprocessing
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from uae_tf.serving import PredictionServer
from uae_tf.serving.repository import ModelRepository
from uae_tf.serving.served_model import ServedModel


class Client(threading.Thread):
    """Asks one question again and again over a connection of its own."""

    def __init__(self, address, request, seconds):
        super().__init__()
        self.address = address
        self.request = request
        self.seconds = seconds
        self.latencies = []
        self.errors = []

    def run(self):
        # Otherwise all channels of a process share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.address, options) as channel:
            stub = PredictionServiceStub(channel)
            end = time.perf_counter() + self.seconds
            while (start := time.perf_counter()) < end:
                try:
                    stub.Predict(self.request, timeout=60)
                except grpc.RpcError as error:
                    self.errors.append(f"{error.code().name}: {error.details()}")
                else:
                    self.latencies.append(time.perf_counter() - start)


def serve(directory, workers, connection):
    """Serves until told to stop."""
    with PredictionServer(directory, workers) as server:
        connection.send(server.address)
        connection.recv()


@contextmanager
def server(directory, workers):
    """Address of a server in another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(directory, workers, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join()


def question(path, signature, rows):
    """Inputs for a signature, by what the model's card says of it."""
    card = json.loads((path / "card.json").read_text())
    rng, inputs = np.random.default_rng(0), {}
    for name, spec in card["signatures"][signature]["inputs"].items():
        shape = [rows, *spec["shape"][1:]]
        is_byte = spec["dtype"] == "uint8"
        values = rng.integers(0, 256, shape) if is_byte else rng.random(shape)
        inputs[name] = values.astype(spec["dtype"])
    return inputs


def direct_latency(path, signature, inputs, seconds=2.0):
    """Median seconds of a call without server and protocol."""
    model = ServedModel(path)
    model.predict(signature, inputs)
    latencies, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        model.predict(signature, inputs)
        latencies.append(time.perf_counter() - start)
    return float(np.median(latencies))


def load(address, model, signature, inputs, clients, seconds):
    """Latencies and errors of all clients."""
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    with grpc.insecure_channel(address) as channel:
        # The server makes its plans for a signature when it is first asked.
        PredictionServiceStub(channel).Predict(request)
    threads = [Client(address, request, seconds) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies = np.concatenate([thread.latencies for thread in threads])
    return latencies, [error for thread in threads for error in thread.errors]


def main():
    """Runs the load named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--directory", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mnist_dense")
    parser.add_argument("--signature", default="serving_default")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--address", help="of a running server")
    options = parser.parse_args()
    repository = ModelRepository(options.directory, options.model)
    path = repository.base_path / str(repository.versions()[-1])
    inputs = question(path, options.signature, options.rows)
    direct = direct_latency(path, options.signature, inputs)
    work = (options.model, options.signature, inputs, options.clients, options.seconds)
    if options.address:
        latencies, errors = load(options.address, *work)
    else:
        with server(options.directory, options.clients) as address:
            latencies, errors = load(address, *work)
    p50, p99 = np.percentile(latencies, [50, 99])
    print(
        f"{options.model} {options.signature}, {options.rows} rows, "
        f"{options.clients} clients, {options.seconds:g} s: {len(latencies)} answers "
        f"({len(latencies) / options.seconds:.1f}/s), {len(errors)} errors"
    )
    print(f"p50 {1e3 * p50:.2f} ms, p99 {1e3 * p99:.2f} ms")
    print(f"direct call {1e3 * direct:.2f} ms, p50 is {p50 / direct:.1f} of them")
    if errors:
        sys.exit(f"first error: {errors[0]}")


if __name__ == "__main__":
    main()
