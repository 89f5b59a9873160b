# SPDX-License-Identifier: Apache-2.0
"""Writes a graph as a TFLite model (NHWC) with the schema that pip's ai-edge-litert brings."""
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPERATORS = schema.BuiltinOperator


class Writer:
    def __init__(self):
        self.buffers = [schema.BufferT()]
        self.tensors, self.operators, self.codes = [], [], []

    def tensor(self, shape, values=None):
        t = schema.TensorT()
        t.shape, t.name = list(shape), f"t{len(self.tensors)}"
        t.type = schema.TensorType.INT32 if values is not None and values.dtype == np.int32 else schema.TensorType.FLOAT32
        t.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint8)
            self.buffers.append(buffer)
            t.buffer = len(self.buffers) - 1
        self.tensors.append(t)
        return len(self.tensors) - 1

    def constant(self, values):
        return self.tensor(values.shape, values)

    def operator(self, code, inputs, shape, options_type=0, options=None):
        if code not in self.codes:
            self.codes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs = self.codes.index(code), inputs
        output = self.tensor(shape)
        op.outputs, op.builtinOptionsType, op.builtinOptions = [output], options_type, options
        self.operators.append(op)
        return output

    def finish(self, image, logits):
        subgraph = schema.SubGraphT()
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs, subgraph.outputs = [image], [logits]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [subgraph], self.buffers
        model.operatorCodes = []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _convolution(w, node, x, shape, fused):
    out, _, kernel, _ = node.weight.shape
    depthwise = node.groups > 1
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    padding = schema.Padding.SAME
    if node.stride > 1 and kernel > 1:  # TFLite's SAME pads strided convolutions on one side only
        pad = kernel // 2
        shape = [1, shape[1] + 2 * pad, shape[2] + 2 * pad, shape[3]]
        amounts = w.constant(np.array([[0, 0], [pad, pad], [pad, pad], [0, 0]], dtype=np.int32))
        x = w.operator(OPERATORS.PAD, [x, amounts], shape, schema.BuiltinOptions.PadOptions, schema.PadOptionsT())
        side = (shape[1] - kernel) // node.stride + 1
        padding = schema.Padding.VALID
    else:
        side = shape[1]
    options.padding, options.strideH, options.strideW = padding, node.stride, node.stride
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = fused
    if depthwise:
        options.depthMultiplier = 1
        weight = node.weight.transpose(1, 2, 3, 0)
    else:
        weight = node.weight.transpose(0, 2, 3, 1)
    bias = node.bias if node.bias is not None else np.zeros(out, dtype=np.float32)
    shape = [1, side, side, out]
    kind = schema.BuiltinOptions.DepthwiseConv2DOptions if depthwise else schema.BuiltinOptions.Conv2DOptions
    code = OPERATORS.DEPTHWISE_CONV_2D if depthwise else OPERATORS.CONV_2D
    return w.operator(code, [x, w.constant(weight), w.constant(bias)], shape, kind, options), shape


def _binary(w, code, a, b, shape, fused=0):
    options = schema.AddOptionsT() if code == OPERATORS.ADD else schema.MulOptionsT()
    options.fusedActivationFunction = fused
    kind = schema.BuiltinOptions.AddOptions if code == OPERATORS.ADD else schema.BuiltinOptions.MulOptions
    return w.operator(code, [a, b], shape, kind, options)


def model_bytes(graph):
    w = Writer()
    image = w.tensor([1, graph.resolution, graph.resolution, 3])
    known = {graph.image: (image, [1, graph.resolution, graph.resolution, 3])}
    activations = schema.ActivationFunctionType
    fused_into = {}  # output of a ReLU that its convolution does already
    relu_of = {n.inputs[0]: n for n in graph.nodes if n.kind == "Relu" and graph.users[n.inputs[0]] == 1}
    last = None
    for node in graph.nodes:
        if node.output in fused_into:
            continue
        x, shape = known[node.inputs[0]]
        output = node.output
        if node.kind == "Conv":
            relu = relu_of.get(node.output)
            x, shape = _convolution(w, node, x, shape, activations.RELU if relu else activations.NONE)
            if relu:
                output = relu.output
                fused_into[output] = True
        elif node.kind == "Relu":
            x = w.operator(OPERATORS.RELU, [x], shape)
        elif node.kind == "HardSwish":
            x = w.operator(OPERATORS.HARD_SWISH, [x], shape, schema.BuiltinOptions.HardSwishOptions, schema.HardSwishOptionsT())
        elif node.kind == "HardSigmoid":
            x = _binary(w, OPERATORS.ADD, x, w.constant(np.array([3], dtype=np.float32)), shape, activations.RELU6)
            x = _binary(w, OPERATORS.MUL, x, w.constant(np.array([1 / 6], dtype=np.float32)), shape)
        elif node.kind in ("Add", "Mul"):
            x = _binary(w, OPERATORS.ADD if node.kind == "Add" else OPERATORS.MUL, x, known[node.inputs[1]][0], shape)
        elif node.kind == "GlobalAveragePool":
            options = schema.ReducerOptionsT()
            options.keepDims = True
            shape = [1, 1, 1, shape[3]]
            axes = w.constant(np.array([1, 2], dtype=np.int32))
            x = w.operator(OPERATORS.MEAN, [x, axes], shape, schema.BuiltinOptions.ReducerOptions, options)
        elif node.kind == "Flatten":
            shape = [1, shape[3]]
            target = w.constant(np.array(shape, dtype=np.int32))
            options = schema.ReshapeOptionsT()
            options.newShape = shape
            x = w.operator(OPERATORS.RESHAPE, [x, target], shape, schema.BuiltinOptions.ReshapeOptions, options)
        elif node.kind == "Gemm":
            shape = [1, node.weight.shape[0]]
            x = w.operator(OPERATORS.FULLY_CONNECTED, [x, w.constant(node.weight), w.constant(node.bias)], shape,
                           schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT())
        else:
            raise ValueError(f"TFLite writer: operator {node.kind}")
        known[output] = (x, shape)
        last = x
    return w.finish(image, last)
