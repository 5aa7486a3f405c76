"""ONNX graphs, of the few operators that shopd's runtime runs: MatMul, Add, Gemm, Relu; opset 11, fixed shapes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .network import Network

INPUT, OUTPUT = "input", "scores"


def _model(nodes: list, constants: dict[str, np.ndarray], shape_in: list[int], shape_out: list[int]) -> bytes:
    g = helper.make_graph(nodes, "shopd", [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape_in)],
                          [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape_out)],
                          [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), k) for k, v in constants.items()])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 11)], ir_version=6, producer_name="shopd-models")
    onnx.checker.check_model(m, full_check=True)
    return m.SerializeToString()


def factorisation(a: np.ndarray, b: np.ndarray) -> bytes:
    """histories (1 x items) -> factors -> scores (1 x items)."""
    n = a.shape[0]
    return _model([helper.make_node("MatMul", [INPUT, "a"], ["taste"]), helper.make_node("MatMul", ["taste", "b"], [OUTPUT])],
                  {"a": a, "b": b}, [1, n], [1, n])


def reranker(net: Network, candidates: int) -> bytes:
    """normalised features (candidates x features) -> scores (candidates x 1)."""
    nodes, constants, x = [], {"line": net.line}, INPUT
    for k, (w, b) in enumerate(zip(net.weights, net.biases)):
        constants |= {f"w{k}": w, f"b{k}": b}
        nodes.append(helper.make_node("Gemm", [x, f"w{k}", f"b{k}"], [f"z{k}"]))
        if k < len(net.weights) - 1:
            nodes.append(helper.make_node("Relu", [f"z{k}"], [f"h{k}"]))
            x = f"h{k}"
    nodes += [helper.make_node("MatMul", [INPUT, "line"], ["straight"]),
              helper.make_node("Add", [f"z{len(net.weights) - 1}", "straight"], [OUTPUT])]
    return _model(nodes, constants, [candidates, len(net.mean)], [candidates, 1])
