"""Small ONNX files, and their evaluation in float64 by ONNX's own reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

FINN, QONNX = "finn.custom_op.general", "qonnx.custom_op.general"


class MultiThreshold(OpRun):
    """As FINN documents it: how many thresholds the value reaches, per channel."""

    op_domain = FINN

    def _run(self, x, thresholds, out_scale=1.0, out_bias=0.0, out_dtype=None, data_layout=None):
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        count = sum((x >= thresholds[:, k].reshape(shape)) for k in range(thresholds.shape[1]))
        return (np.asarray(count, x.dtype) * out_scale + out_bias,)


class BipolarQuant(OpRun):
    """As QONNX documents it: +scale from 0 on, else -scale."""

    op_domain = QONNX

    def _run(self, x, scale):
        return (np.where(x >= 0, scale, -scale),)


class BatchNormalization(OpRun):
    """In the order in which ONNX writes the equation; the evaluator's own folds it, and rounds at exact ties."""

    op_domain = ""

    def _run(self, x, scale, bias, mean, variance, epsilon=1e-5, momentum=0.9, training_mode=0):
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        scale, bias, mean, variance = (v.reshape(shape) for v in (scale, bias, mean, variance))
        return ((x - mean) / np.sqrt(variance + epsilon) * scale + bias,)


class Graph:
    """A graph that grows node by node; constants are float64 unless given as integers."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "input"

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float64) if array.dtype.kind == "f" else array
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self, op: str, *constants: Any, domain: str = "", first: bool = False, **attributes: Any
    ) -> Graph:
        """Append a node that takes the last result and ``constants`` (values, or names of results)."""
        names = [c if isinstance(c, str) else self.constant(c) for c in constants]
        inputs = [*names, self.last] if first else [self.last, *names]
        self.last = f"{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [self.last], name=self.last, domain=domain, **attributes)
        )
        return self

    def model(self, classes: int = 10) -> onnx.ModelProto:
        shape = ["batch", *self.shape]
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info("input", TensorProto.DOUBLE, shape)],
            [helper.make_tensor_value_info(self.last, TensorProto.DOUBLE, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 12), helper.make_opsetid(FINN, 1), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path) -> Any:
        onnx.save(self.model(), path)
        return path

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """The graph's output in float64."""
        return evaluate(self.model(), values)


def evaluate(model: onnx.ModelProto, values: np.ndarray) -> np.ndarray:
    """A model's output in float64: its own constants are widened first."""
    for constant in model.graph.initializer:
        array = numpy_helper.to_array(constant)
        if array.dtype == np.float32:
            constant.CopyFrom(numpy_helper.from_array(array.astype(np.float64), constant.name))
    known = {opset.domain for opset in model.opset_import}
    model.opset_import.extend(
        helper.make_opsetid(domain, 1) for domain in (FINN, QONNX) if domain not in known
    )
    session = ReferenceEvaluator(model, new_ops=[MultiThreshold, BipolarQuant, BatchNormalization])
    name = next(i.name for i in model.graph.input if i.name not in {c.name for c in model.graph.initializer})
    return session.run(None, {name: values.astype(np.float64)})[0]
