"""predict() over a table beside ONNX Runtime over the same rows, both from files to one number.

usage: python tests/bench/predict.py BINARY [RESULT_FILE]
Needs pyarrow and onnxruntime. The rows are those of GBSG2 again and again with another age each; the networks are
tests/data/models/recurrence.onnx (8 hidden units) and one of two hidden layers of 256 made here. Medians of 5 runs, whole processes.
"""
import os, statistics, subprocess, sys, tempfile, textwrap, time

import numpy as np
import onnx
import pyarrow.csv
import pyarrow.parquet
from onnx import TensorProto, helper, numpy_helper

ROWS, RUNS = 1_000_000, 5
FEATURES = ["age", "tumour_size", "positive_nodes", "progesterone_receptor", "oestrogen_receptor"]
binary, lines = os.path.abspath(sys.argv[1]), []
data = os.path.join(os.path.dirname(__file__), "..", "data")
lake = tempfile.mkdtemp(prefix="causeway-bench-")


def say(text):
    print(text, flush=True)
    lines.append(text)


def causeway(*args):
    done = subprocess.run([binary, "--config", lake, *args], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{args[:2]}: {done.stderr}")
    return done.stdout


def wide(path):
    rng = np.random.default_rng(1)
    sizes, nodes, constants, last = [5, 256, 256, 1], [], [], "x"
    for i, (k, m) in enumerate(zip(sizes, sizes[1:])):
        weights = (rng.normal(size=(k, m)) / np.sqrt(k)).astype(np.float32)
        constants += [numpy_helper.from_array(weights, f"w{i}"), numpy_helper.from_array(np.zeros(m, np.float32), f"b{i}")]
        nodes += [helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"g{i}"]), helper.make_node("Tanh", [f"g{i}"], [f"t{i}"])]
        last = f"t{i}"
    nodes.append(helper.make_node("Identity", [last], ["y"]))
    value = lambda name, n: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n])
    graph = helper.make_graph(nodes, "wide", [value("x", 5)], [value("y", 1)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def rows(path):
    table = pyarrow.csv.read_csv(os.path.join(data, "clinical", "gbsg2.csv")).select(FEATURES)
    columns = {name: np.resize(table[name].to_numpy(), ROWS).astype(np.float64) for name in FEATURES}
    columns["age"] += np.arange(ROWS) / ROWS
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


PEER = """
    import sys, numpy as np, onnxruntime, pyarrow.parquet
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    total = 0.0
    for batch in pyarrow.parquet.ParquetFile(sys.argv[2]).iter_batches(8192):
        x = np.column_stack([column.to_numpy() for column in batch.columns]).astype(np.float32)
        total += session.run(None, {"x": x})[0].astype(np.float64).sum()
    print(total)
"""


def timed(command):
    times, answer = [], None
    for _ in range(RUNS):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
        answer = float(done.stdout.split()[-1])
    return statistics.median(times), answer


def main():
    parquet, network = os.path.join(lake, "rows.parquet"), os.path.join(lake, "wide.onnx")
    causeway("init", lake, "--read", os.path.abspath(data))
    rows(parquet)
    wide(network)
    script = os.path.join(lake, "peer.py")
    with open(script, "w") as file:
        file.write(textwrap.dedent(PEER))
    causeway("sql", "-c", f"CREATE SCHEMA s; CREATE TABLE s.rows AS SELECT * FROM read_parquet('{parquet}')")
    say(f"{ROWS} rows of 5 features, {os.cpu_count()} cores, medians of {RUNS} whole processes, {time.strftime('%F')}")
    say(f"ONNX Runtime {__import__('onnxruntime').__version__}, 2 threads, batches of 8192 rows, from Parquet")
    for name, path in [("recurrence", os.path.abspath(os.path.join(data, "models", "recurrence.onnx"))), ("wide", network)]:
        causeway("sql", "-c", f"CREATE TABLE s.{name} AS SELECT * FROM read_onnx('{path}')")
        sql = f"SELECT sum(predict('s.{name}', {', '.join(FEATURES)})) AS s FROM s.rows"
        ours, answer = timed([binary, "--config", lake, "sql", "--format", "csv", "-c", sql])
        peer, expected = timed([sys.executable, script, path, parquet])
        assert abs(answer - expected) <= 1e-5 * ROWS, (answer, expected)
        say(f"{name}: causeway {ours:.2f} s, ONNX Runtime {peer:.2f} s, ratio {peer / ours:.2f}")
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w") as file:
            file.write("\n".join(lines) + "\n")


main()
