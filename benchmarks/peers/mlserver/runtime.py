"""The model as MLServer wants it: a class that answers inference requests."""

from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.common.shared_model import SharedModel


class Classifier(MLModel):
    async def load(self) -> bool:
        self._model = SharedModel(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        predictions = self._model(StringCodec.decode_input(payload.inputs[0]))
        scores = np.array([[p["score"]] for p in predictions], np.float32)
        labels = StringCodec.encode_output("label", [p["label"] for p in predictions])
        return InferenceResponse(model_name=self.name, outputs=[labels, NumpyCodec.encode_output("score", scores)])
