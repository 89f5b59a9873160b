# SPDX-License-Identifier: Apache-2.0
"""The few kinds of layers that `dofa-model export` writes, read from ONNX into plain values for the writers beside this file."""
from dataclasses import dataclass, field

import onnx
from onnx import numpy_helper


@dataclass
class Node:
    kind: str  # the ONNX operator
    inputs: list  # names of activations, weights left out
    output: str
    weight: object = None  # numpy array as ONNX keeps it
    bias: object = None
    stride: int = 1
    groups: int = 1


@dataclass
class Graph:
    image: str
    resolution: int
    nodes: list = field(default_factory=list)
    users: dict = field(default_factory=dict)  # activation -> how many nodes read it


def read(path):
    model = onnx.load(path)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    image = model.graph.input[0]
    graph = Graph(image.name, image.type.tensor_type.shape.dim[3].dim_value)
    for onnx_node in model.graph.node:
        arrays = [weights[name] for name in onnx_node.input if name in weights]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in onnx_node.attribute}
        node = Node(onnx_node.op_type, [name for name in onnx_node.input if name not in weights], onnx_node.output[0])
        if arrays:
            node.weight = arrays[0]
            node.bias = arrays[1] if len(arrays) > 1 else None
        node.stride = attributes.get("strides", [1])[0]
        node.groups = attributes.get("group", 1)
        for name in node.inputs:
            graph.users[name] = graph.users.get(name, 0) + 1
        graph.nodes.append(node)
    return graph
