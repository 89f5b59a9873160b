#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, on what `dofa-model export` wrote, gives the logits that dofad's own executors give.

The tool makes a family of the reference checkpoint, draws two sub-networks, calibrates them and exports them. ONNX
Runtime's answers become a reference file, written here with Python's own pickle, and `dofa-model compare` holds every
executor against it. Usage: onnx_agrees.py DOFA_MODEL SHARED; exit code 77 where onnxruntime or the data is absent.
"""
import collections
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import types
import zipfile


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


try:
    import numpy
    import onnxruntime
except ImportError as absent:
    skip(absent)

# Stand-ins whose pickled names are PyTorch's.
torch = types.ModuleType("torch")
torch_utils = types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": torch_utils})
torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})


def _rebuild_tensor_v2(*_):
    pass


_rebuild_tensor_v2.__module__ = "torch._utils"
torch_utils._rebuild_tensor_v2 = _rebuild_tensor_v2


class Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class Tensor:
    def __init__(self, storage):
        self.storage = storage

    def __reduce__(self):
        array = self.storage.array
        strides = tuple(stride // array.itemsize for stride in array.strides)
        return _rebuild_tensor_v2, (self.storage, 0, array.shape, strides, False, collections.OrderedDict())


class Pickler(pickle._Pickler):
    def persistent_id(self, item):
        if isinstance(item, Storage):
            return ("storage", torch.FloatStorage, item.key, "cpu", item.array.size)
        return None


def save(path, arrays):
    """torch.save(arrays, path), near enough."""
    storages = {name: Storage(str(i), numpy.ascontiguousarray(array)) for i, (name, array) in enumerate(arrays.items())}
    data = io.BytesIO()
    Pickler(data, 2).dump({name: Tensor(storage) for name, storage in storages.items()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        for storage in storages.values():
            archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())


class Unpickler(pickle.Unpickler):
    """Reads the flat float tensor dicts that dofa-model writes."""

    def __init__(self, path):
        self.archive = zipfile.ZipFile(path)
        super().__init__(io.BytesIO(self.archive.read("archive/data.pkl")))

    def find_class(self, module, name):
        if name == "_rebuild_tensor_v2":
            return lambda values, offset, shape, *_: values[offset:].reshape(shape)
        return collections.OrderedDict if name == "OrderedDict" else name

    def persistent_load(self, pid):
        return numpy.frombuffer(self.archive.read(f"archive/data/{pid[2]}"), numpy.float32)


def main(program, shared):
    checkpoint = os.path.join(shared, "reference/ofa/supernet.pth")
    if not os.path.exists(checkpoint):
        skip(f"{checkpoint} is not there")
    with tempfile.TemporaryDirectory() as folder:
        family = os.path.join(folder, "family")
        reference = os.path.join(folder, "expected.pt")

        def tool(*words):
            return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout

        dice = numpy.random.default_rng(5)
        for i in range(8):
            with open(os.path.join(folder, f"{i}.ppm"), "wb") as picture:
                picture.write(b"P6\n192 192\n255\n" + dice.integers(0, 256, 192 * 192 * 3, numpy.uint8).tobytes())
        tool("import", checkpoint, "-o", family)
        for seed in ("1", "2"):
            tool("add-subnet", family, "--random", seed)
        tool("calibrate", family, folder, "--batch", "4")
        subnets = json.loads(tool("show", family, "--json"))["subnets"]
        arrays = {}
        for subnet in subnets:
            name, side = subnet["name"], subnet["resolution"]
            model = os.path.join(folder, name + ".onnx")
            tool("export", family, name, "-o", model)
            image = dice.standard_normal((2, 3, side, side), numpy.float32)
            session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
            arrays[f"{name}/input"] = image
            arrays[f"{name}/logits"] = session.run(["logits"], {"image": image})[0]
            for key, value in Unpickler(os.path.join(family, name + ".bn.pt")).load().items():
                arrays[f"{name}/bn/{key}"] = value
            subnet["r"] = side
        save(reference, arrays)
        with open(os.path.join(folder, "subnets.json"), "w", encoding="utf-8") as file:
            json.dump({"subnets": subnets}, file)
        print(tool("compare", family, reference))


main(*sys.argv[1:])
