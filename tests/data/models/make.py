"""Writes the networks of this folder and what ONNX Runtime says of them.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 skl2onnx==1.20.0
    python tests/data/models/make.py
"""

import csv
import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor

HERE = pathlib.Path(__file__).parent
FEATURES = ["age", "tumour_size", "positive_nodes", "progesterone_receptor", "oestrogen_receptor"]
warnings.filterwarnings("ignore")


def save(name, model):
    onnx.checker.check_model(model)
    (HERE / name).write_bytes(model.SerializeToString())


def network(nodes, constants, n_features, n_outputs, rows="rows", opset=17):
    """A graph from x [rows, n_features] to y [rows, n_outputs]."""
    constants = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(op, ins, outs, **options) for op, ins, outs, options in nodes],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, n_features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, n_outputs])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def recurrence():
    """A classifier of recurrence within the study, over GBSG2; its scaling is part of the network."""
    with open(HERE / "../clinical/gbsg2.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    x = np.array([[float(row[name]) for name in FEATURES] for row in rows], dtype=np.float32)
    y = np.array([int(row["status"]) for row in rows])
    mean, scale = x.mean(axis=0), x.std(axis=0)
    fit = MLPClassifier(hidden_layer_sizes=(8,), max_iter=2000, random_state=1).fit((x - mean) / scale, y)
    weights = {f"w{i}": w.astype(np.float32) for i, w in enumerate(fit.coefs_)}
    biases = {f"b{i}": b.astype(np.float32) for i, b in enumerate(fit.intercepts_)}
    nodes = [
        ("Sub", ["x", "mean"], ["centred"], {}),
        ("Div", ["centred", "scale"], ["scaled"], {}),
        ("Gemm", ["scaled", "w0", "b0"], ["h"], {}),
        ("Relu", ["h"], ["r"], {}),
        ("Gemm", ["r", "w1", "b1"], ["logit"], {}),
        ("Sigmoid", ["logit"], ["y"], {}),
    ]
    save("recurrence.onnx", network(nodes, {"mean": mean, "scale": scale, **weights, **biases}, 5, 1))
    return x


def exported(rng):
    """What scikit-learn's exporter writes."""
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    regressor = MLPRegressor(hidden_layer_sizes=(16, 8), max_iter=200, random_state=1).fit(x, y)
    save("regressor.onnx", to_onnx(regressor, x[:1], target_opset=17))
    kinds = np.digitize(y, [-0.5, 0.5])
    classifier = MLPClassifier(hidden_layer_sizes=(8,), max_iter=200, random_state=1).fit(x, kinds)
    save("classifier.onnx", to_onnx(classifier, x[:1], target_opset=17, options={"zipmap": False}))
    return x


def zoo(rng):
    """Each operator that is offered, each followed by what keeps its numbers small."""
    def constant(*shape):
        return rng.normal(size=shape).astype(np.float32)

    steps = [
        "Abs", "Sqrt", "Erf", "Exp", "Reciprocal", "Softplus", "Log", "Elu", "LeakyRelu", "HardSigmoid", "HardSwish",
        "Neg", "Tanh", "Softsign", "Softmax", "LogSoftmax", "Sigmoid", "Identity", "Gelu",
    ]  # fmt: skip
    nodes, constants, at = [], {}, "x"
    for i, op in enumerate(steps):
        nodes.append((op, [at], [f"v{i}"], {}))
        at = f"v{i}"
    for i, op in enumerate(["Ceil", "Floor", "Round", "Sign"]):
        nodes += [("Mul", ["x", f"s{i}"], [f"m{i}"], {}), (op, [f"m{i}"], [f"t{i}"], {})]
        constants[f"s{i}"] = constant(6)
        nodes.append(("Add", [at, f"t{i}"], [f"u{i}"], {}))
        at = f"u{i}"
    nodes += [
        ("Clip", [at, "low", "high"], ["clipped"], {}),
        ("BatchNormalization", ["clipped", "bn_scale", "bn_bias", "bn_mean", "bn_var"], ["normal"], {}),
        ("PRelu", ["normal", "slope"], ["bent"], {}),
        ("MatMul", ["bent", "w"], ["product"], {}),
        ("Gemm", ["bent", "wt", "bias"], ["general"], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
        ("Concat", ["product", "general"], ["both"], {"axis": -1}),
        ("Max", ["both", "zero"], ["max"], {}),
        ("Min", ["both", "max", "one"], ["min"], {}),
        ("Mean", ["min", "max"], ["mean"], {}),
        ("Sum", ["mean", "both", "row"], ["sum"], {}),
        ("Pow", ["sum", "two"], ["square"], {}),
        ("Sub", ["square", "one"], ["less"], {}),
        ("Div", ["less", "three"], ["third"], {}),
        ("Flatten", ["third"], ["flat"], {}),
        ("Reshape", ["flat", "to"], ["shaped"], {}),
        ("Cast", ["shaped"], ["cast"], {"to": TensorProto.FLOAT}),
        ("MatMul", ["cast", "last"], ["column"], {}),
        ("Squeeze", ["column", "axes"], ["squeezed"], {}),
        ("Reshape", ["squeezed", "back"], ["y"], {}),
    ]
    constants |= {
        "low": np.float32(-3), "high": np.float32(3), "zero": np.float32(0), "one": np.float32([1]),
        "two": np.float32(2), "three": np.float32([[3]]), "slope": np.float32([0.1] * 6), "row": constant(1, 7),
        "bn_scale": constant(6), "bn_bias": constant(6), "bn_mean": constant(6), "bn_var": np.abs(constant(6)),
        "w": constant(6, 3), "wt": constant(4, 6), "bias": constant(4), "last": constant(7, 1),
        "to": np.array([-1, 7]), "axes": np.array([1]), "back": np.array([-1, 1]),
    }  # fmt: skip
    save("zoo.onnx", network(nodes, constants, 6, 1, opset=20))
    return rng.normal(size=(40, 6)).astype(np.float32)


def say(name, x):
    session = onnxruntime.InferenceSession(HERE / name, providers=["CPUExecutionProvider"])
    wanted = [out.name for out in session.get_outputs() if out.type == "tensor(float)"]
    return {"x": x.tolist(), "y": session.run(wanted, {session.get_inputs()[0].name: x})[0].tolist()}


def main():
    rng = np.random.default_rng(20261130)
    inputs = {"recurrence.onnx": recurrence()[:60]}
    inputs["regressor.onnx"] = inputs["classifier.onnx"] = exported(rng)[:40]
    inputs["zoo.onnx"] = zoo(rng)
    expected = {name: say(name, x) for name, x in inputs.items()}
    (HERE / "expected.json").write_text(json.dumps(expected) + "\n")


main()
