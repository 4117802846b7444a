"""TF-Serving's gRPC service over models in memory. Needs the extra ``serving``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import grpc
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
)

from .served_model import ServedModel

_DEFAULT, _SIGNATURES = "serving_default", "signature_def"


class PredictionService(PredictionServiceServicer):
    """Answers ``Predict`` and ``GetModelMetadata``.

    Args:
        models: name -> version -> model.
    """

    def __init__(self, models: Mapping[str, Mapping[int, ServedModel]]) -> None:
        self.models = models

    def Predict(
        self, request: PredictRequest, context: grpc.ServicerContext
    ) -> PredictResponse:
        version, model = self._find(request.model_spec, context)
        key = request.model_spec.signature_name or _DEFAULT
        try:
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            outputs = model.predict(key, inputs)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            _refuse(context, _reason(error))
        response = PredictResponse()
        _describe(response.model_spec, request.model_spec.name, version, key)
        for name in request.output_filter or outputs:
            if name not in outputs:
                _refuse(context, f"No output {name!r} of {key!r}: {sorted(outputs)}")
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return response

    def GetModelMetadata(
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        version, model = self._find(request.model_spec, context)
        fields = list(request.metadata_field)
        if fields != [_SIGNATURES]:
            text = f"`metadata_field` must be [{_SIGNATURES!r}]. Received: {fields}"
            _refuse(context, text)
        signatures = SignatureDefMap()
        for name, signature in model.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = GetModelMetadataResponse()
        _describe(response.model_spec, request.model_spec.name, version)
        response.metadata[_SIGNATURES].Pack(signatures)
        return response

    def _find(
        self, spec: ModelSpec, context: grpc.ServicerContext
    ) -> tuple[int, ServedModel]:
        versions = self.models.get(spec.name, {})
        latest = max(versions, default=0)
        version = spec.version.value if spec.HasField("version") else latest
        if version not in versions:
            there = {name: sorted(found) for name, found in self.models.items()}
            text = f"No version {version or 'at all'} of {spec.name!r}. There are: "
            _refuse(context, f"{text}{there}", grpc.StatusCode.NOT_FOUND)
        return version, versions[version]


def _describe(spec: ModelSpec, name: str, version: int, key: str = "") -> None:
    spec.name = name
    spec.version.value = version
    spec.signature_name = key


def _refuse(
    context: grpc.ServicerContext,
    text: str,
    code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT,
) -> NoReturn:
    context.abort(code, text)
    raise AssertionError("abort raises")


def _reason(error: Exception) -> str:
    """The error without the traceback of this very server."""
    lines = str(error).splitlines()
    failed = [line for line in lines if line.startswith("assertion failed")]
    return failed[0] if failed else lines[0]
