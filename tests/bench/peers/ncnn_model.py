# SPDX-License-Identifier: Apache-2.0
"""Writes a graph as ncnn's pair of files (pip's ncnn brings no converter)."""
import numpy as np

FLOAT_TAG = np.zeros(1, dtype=np.uint32).tobytes()  # weights follow as float32


def write(graph, param_path, bin_path):
    lines, blobs = [], set()
    vectors = set()  # activations behind a global pool: to ncnn they have one dimension
    copies = {}  # activation -> names its readers take, one each: ncnn wants an explicit Split

    def emit(kind, inputs, outputs, options=""):
        blobs.update(outputs)
        lines.append(" ".join([kind, f"l{len(lines)}", str(len(inputs)), str(len(outputs)), *inputs, *outputs, options]).rstrip())

    def publish(name):
        users = graph.users.get(name, 0)
        if users > 1:
            copies[name] = [f"{name}_{i}" for i in range(users)]
            emit("Split", [name], list(copies[name]))

    def take(name):
        return copies[name].pop() if name in copies else name

    emit("Input", [], [graph.image], f"0={graph.resolution} 1={graph.resolution} 2=3")
    publish(graph.image)
    with open(bin_path, "wb") as data:
        for node in graph.nodes:
            inputs, output = [take(name) for name in node.inputs], [node.output]
            if node.kind == "GlobalAveragePool" or all(name in vectors for name in node.inputs):
                vectors.add(node.output)
            if node.kind in ("Conv", "Gemm"):
                out, size = node.weight.shape[0], node.weight.size
                bias = int(node.bias is not None)
                if node.kind == "Gemm" or node.output in vectors:
                    emit("InnerProduct", inputs, output, f"0={out} 1={bias} 2={size}")
                else:
                    kernel = node.weight.shape[2]
                    options = f"0={out} 1={kernel} 3={node.stride} 4={kernel // 2} 5={bias} 6={size}"
                    if node.groups > 1:
                        emit("ConvolutionDepthWise", inputs, output, options + f" 7={node.groups}")
                    else:
                        emit("Convolution", inputs, output, options)
                data.write(FLOAT_TAG + node.weight.astype(np.float32).tobytes())
                if bias:
                    data.write(node.bias.astype(np.float32).tobytes())
            elif node.kind == "Flatten":
                emit("Flatten", inputs, output)
            elif node.kind == "Relu":
                emit("ReLU", inputs, output)
            elif node.kind in ("HardSwish", "HardSigmoid"):
                emit(node.kind, inputs, output, f"0={1 / 6:.9g} 1=0.5")
            elif node.kind in ("Add", "Mul"):
                emit("BinaryOp", inputs, output, f"0={0 if node.kind == 'Add' else 2}")
            elif node.kind == "GlobalAveragePool":
                emit("Pooling", inputs, output, "0=1 4=1")
            else:
                raise ValueError(f"ncnn writer: operator {node.kind}")
            publish(node.output)
    with open(param_path, "w") as text:
        text.write(f"7767517\n{len(lines)} {len(blobs)}\n" + "\n".join(lines) + "\n")
