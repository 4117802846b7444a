"""Answers requests in a process that imports TensorFlow and nothing of ours.

Run as a program; reads and writes the files that c_api.py does.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(folder):
    # TensorFlow imports Keras where there is one; from here on there is none.
    sys.modules |= {"keras": None, "uae_tf": None}
    import tensorflow as tf

    requests = json.loads((folder / "requests.json").read_text())
    arrays = {k: tf.constant(v) for k, v in np.load(folder / "arrays.npz").items()}
    signatures = tf.saved_model.load(requests["directory"]).signatures
    answers, errors = {}, {}
    for key, request in requests["requests"].items():
        inputs = {name: arrays[array] for name, array in request["inputs"].items()}
        try:
            outputs = signatures[request["signature"]](**inputs)
        except tf.errors.InvalidArgumentError as error:
            errors[key] = str(error)
            continue
        answers |= {f"{key}/{name}": value.numpy() for name, value in outputs.items()}
    np.savez(folder / "answers.npz", **answers)
    modules = sorted(name for name, module in sys.modules.items() if module)
    report = {"errors": errors, "modules": modules}
    (folder / "answers.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
