"""TF-Serving's protocol over loopback, asked by a real gRPC client."""

import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    SignatureDefMap,
)
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from uae_tf.serving import PredictionServer
from uae_tf.serving.prediction_service import PredictionService

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stub(served):
    with (
        PredictionServer(served.directory) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield PredictionServiceStub(channel)


def predict(stub, inputs, signature="serving_default", name="tiny", **settings):
    request = PredictRequest(**settings)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, array in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
    response = stub.Predict(request)
    assert response.model_spec.version.value == 1
    return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}


def error_of(call, *arguments, **settings):
    with pytest.raises(grpc.RpcError) as info:
        call(*arguments, **settings)
    return info.value.code().name, info.value.details()


def test_predict_gives_what_keras_gives(stub, served, requests, check_answers):
    answers, errors = {}, {}
    for key, request in requests.items():
        inputs = {k: served.arrays[array] for k, array in request["inputs"].items()}
        try:
            outputs = predict(stub, inputs, request["signature"])
        except grpc.RpcError as error:
            errors[key] = f"{error.code().name}: {error.details()}"
        else:
            answers |= {f"{key}/{name}": array for name, array in outputs.items()}
    check_answers(answers, errors)
    assert all(text.startswith("INVALID_ARGUMENT: ") for text in errors.values())


def test_a_request_may_be_large(stub, served):
    # gRPC's own limit is 4 MiB.
    x = np.repeat(served.arrays["x"][:1], 20_000, axis=0)
    assert x.nbytes > 2**22
    assert predict(stub, {"x": x}, "score")["score"].shape == (20_000,)


def test_metadata_names_every_input_and_output(stub):
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny"
    response = stub.GetModelMetadata(request)
    assert response.model_spec.version.value == 1
    found = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    attack = found.signature_def["attack_uint8"]
    sizes = [dim.size for dim in attack.inputs["x"].tensor_shape.dim]
    assert sizes == [-1, 8, 8, 1]
    assert attack.inputs["x"].dtype == tf.uint8.as_datatype_enum
    assert set(attack.inputs) == {"x", "seed"}
    assert set(attack.outputs) == {"examples", "success", "similarity"}
    request.metadata_field.append("more")
    code, text = error_of(stub.GetModelMetadata, request)
    assert code == "INVALID_ARGUMENT"
    assert "metadata_field" in text


def test_a_bad_request_is_told_what_is_wrong(stub, served):
    x = served.arrays["x"]
    for arguments, settings, match in (
        ([{"x": x.astype(np.float64)}], {}, "`x` must be of type float32. Received"),
        ([{"x": served.arrays["bytes"]}], {}, "float32. Received: uint8"),
        ([{"x": x}, "attack"], {}, r"inputs of 'attack' are ['seed', 'x']. Received"),
        ([{"z": x}], {}, "['x']. Received: ['z']"),
        ([{"x": x}, "decode"], {}, "No signature 'decode'. There are: ['attack'"),
        ([{"x": x}], {"output_filter": ["code"]}, "No output 'code'"),
    ):
        code, text = error_of(predict, stub, *arguments, **settings)
        assert code == "INVALID_ARGUMENT"
        assert match in text
    code, text = error_of(predict, stub, {"x": x}, name="huge")
    assert code == "NOT_FOUND"
    assert "'huge'. There are: {'tiny': [1]}" in text
    seeds = {"x": x, "seed": np.zeros(3, np.int32)}
    assert "`seed` must have the shape" in error_of(predict, stub, seeds, "attack")[1]


def test_the_newest_version_answers_unless_another_is_named():
    class Version:
        def __init__(self, number):
            self.number = number

        def predict(self, name, inputs):
            return {name: np.array([self.number])}

    service = PredictionService({"m": {n: Version(n) for n in (2, 10, 3)}})
    request = PredictRequest()
    request.model_spec.name = "m"
    for wanted, expected in ((None, 10), (3, 3)):
        if wanted:
            request.model_spec.version.value = wanted
        response = service.Predict(request, None)
        assert response.model_spec.version.value == expected
        answer = tf.make_ndarray(response.outputs["serving_default"])
        assert answer.tolist() == [expected]


def test_outputs_can_be_chosen(stub, served):
    inputs = {"x": served.arrays["x"], "seed": served.arrays["seed"]}
    outputs = predict(stub, inputs, "attack", output_filter=["success"])
    assert list(outputs) == ["success"]


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a repository with models"):
        PredictionServer(tmp_path)


def test_without_the_extra_the_error_names_it(served, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ImportError, match=r"uae-tf\[serving\]"):
        PredictionServer(served.directory)


@pytest.mark.slow
def test_eight_clients_for_half_a_minute_see_no_error(served):
    command = [sys.executable, REPOSITORY / "benchmarks" / "serving_load.py"]
    command += ["--directory", served.directory, "--model", "tiny", "--rows", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 clients, 30 s" in done.stdout
    assert ", 0 errors" in done.stdout
    assert "p50" in done.stdout
    assert "p99" in done.stdout
