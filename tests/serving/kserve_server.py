"""Serves a SavedModel by KServe's V1 REST protocol. Runs where KServe is installed.

A program: python kserve_server.py NAME VERSION_FOLDER PORT. Of the two libraries it
needs, TensorFlow and KServe, neither is ours.
"""

import sys


def main(name, path, port):
    import kserve
    import numpy as np
    import tensorflow as tf

    class Exported(kserve.Model):
        def load(self):
            self.loaded = tf.saved_model.load(path)
            self.ready = True
            return True

        def predict(self, payload, headers=None, response_headers=None):
            key = payload.get("signature_name", "serving_default")
            signature = self.loaded.signatures[key]
            specs, rows = signature.structured_input_signature[1], payload["instances"]
            if len(specs) == 1:
                rows = [{next(iter(specs)): row} for row in rows]
            try:
                inputs = {
                    key: tf.constant(
                        np.asarray([row[key] for row in rows], spec.dtype.name)
                    )
                    for key, spec in specs.items()
                }
                outputs = signature(**inputs)
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                raise kserve.errors.InvalidInput(str(error)) from error
            columns = {key: value.numpy().tolist() for key, value in outputs.items()}
            if len(columns) == 1:
                (predictions,) = columns.values()
            else:
                predictions = [
                    dict(zip(columns, row, strict=True))
                    for row in zip(*columns.values(), strict=True)
                ]
            return {"predictions": predictions}

    model = Exported(name)
    model.load()
    kserve.ModelServer(http_port=port, enable_grpc=False, workers=1).start([model])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
