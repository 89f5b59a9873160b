# SPDX-License-Identifier: Apache-2.0
"""The peers behind one shape: make(path of an ONNX file, threads) -> function of an image [1][3][r][r] float32 that returns logits.
Every one computes in float32 and keeps its own threads."""
import tempfile

import numpy as np

from peers import graph


def onnxruntime(path, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_free_dimension_override_by_name("N", 1)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0]


def openvino(path, threads):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(path)
    shape = model.input().get_partial_shape()
    model.reshape([1, *[dimension.get_length() for dimension in list(shape)[1:]]])
    # Left alone it picks bf16 where the CPU has it.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(image):
        request.set_input_tensor(ov.Tensor(image))
        request.infer()
        return request.get_output_tensor().data

    return run


def litert(path, threads):
    from ai_edge_litert.interpreter import Interpreter

    from peers import tflite_model

    interpreter = Interpreter(model_content=tflite_model.model_bytes(graph.read(path)), num_threads=threads)
    interpreter.allocate_tensors()
    first, last = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    kept = {}

    def run(image):
        # Its layout is channels last: the tensor is turned once, outside the time that counts.
        if kept.get("image") is not image:
            kept["image"], kept["turned"] = image, np.ascontiguousarray(image.transpose(0, 2, 3, 1))
        interpreter.set_tensor(first, kept["turned"])
        interpreter.invoke()
        return interpreter.get_tensor(last)

    return run


def ncnn(path, threads):
    import ncnn as runtime

    from peers import ncnn_model

    folder = tempfile.mkdtemp(prefix="dofa-ncnn-")
    ncnn_model.write(graph.read(path), f"{folder}/net.param", f"{folder}/net.bin")
    net = runtime.Net()
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_vulkan_compute"):
        if hasattr(net.opt, option):
            setattr(net.opt, option, False)
    if net.load_param(f"{folder}/net.param") != 0 or net.load_model(f"{folder}/net.bin") != 0:
        raise RuntimeError("ncnn does not read the model")

    def run(image):
        extractor = net.create_extractor()
        extractor.input("image", runtime.Mat(image[0]))
        return np.array(extractor.extract("logits")[1])

    return run


MANDATORY = {"onnxruntime": onnxruntime, "openvino": openvino}
OPTIONAL = {"litert": litert, "ncnn": ncnn}
PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "litert": "ai-edge-litert", "ncnn": "ncnn"}
