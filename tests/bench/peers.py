#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times dofad's CPU kernels against other runtimes on the same sub-networks: random weights, exported to ONNX by `dofa-model export`.

All start from the same float tensor and end with logits; runs are interleaved, several rounds; each peer's logits are checked
against ours. A ratio is our time over theirs: below 1 we are faster. Needs pip the first time (a venv beside the build)."""
import argparse
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = ("w1.0", "w1.2")
MAX_REL_DIFF = 1e-3  # another order of summation stays far below; a wrongly converted net far above


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where dofa-bench and dofa-model are")
    parser.add_argument("--venv", type=Path, help="Python environment for the peers (default: BUILD/peers-venv)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--nets", default="", help="only nets whose name contains this")
    parser.add_argument("--peers", nargs="+", help="only these")
    parser.add_argument("--target", default="", help="cap our SIMD target, e.g. AVX2")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def enter_venv(folder):
    """Runs this program again in the environment, made first where it is missing."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "numpy", "onnx", "onnxruntime", "openvino"], check=True)
        for optional in ("ai-edge-litert", "ncnn"):
            if subprocess.run([*pip, optional], check=False).returncode != 0:
                print(f"peers: pip has no {optional} here, left out", file=sys.stderr)
    os.execv(python, [str(python), *sys.argv])


class Ours:
    """dofa-bench engine, waiting for requests."""

    def __init__(self, build, threads, target):
        command = [build / "dofa-bench", "engine", "--on-request", "--threads", str(threads)]
        if target:
            command += ["--target", target]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("dofa-bench ended early")
        return [float(word) for word in answer.split()]

    def times(self, net, runs):
        return self._ask(f"time {net} {runs}")

    def logits(self, net, image):
        with tempfile.NamedTemporaryFile() as file:
            file.write(image.tobytes())
            file.flush()
            return self._ask(f"logits {net} {file.name}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def export_nets(build, part, folder):
    """ONNX files by net name."""
    files = {}
    for width in WIDTHS:
        family = Path(folder) / width
        family.mkdir()
        subprocess.run([build / "dofa-bench", "engine", "--nets", width, "--write-family", family], check=True)
        listed = subprocess.run([build / "dofa-model", "show", family, "--json"], check=True, capture_output=True, text=True)
        for subnet in json.loads(listed.stdout)["subnets"]:
            name = subnet["name"]
            if part in name:
                files[name] = Path(folder) / f"{name}.onnx"
                command = [build / "dofa-model", "export", family, name, "-o", files[name], "--format", "onnx"]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return files


def timed(function, image, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function(image)
        times.append(1e3 * (time.perf_counter() - start))
    return times


def difference(expected, got):
    got = [float(x) for x in got.flatten()]
    return max(abs(a - b) for a, b in zip(expected, got, strict=True)) / (max(expected) - min(expected))


def measure_net(name, path, threads, ours, makers, rounds):
    import numpy as np

    from peers import graph

    side = graph.read(path).resolution
    image = np.random.default_rng(1).standard_normal((1, 3, side, side)).astype(np.float32)
    expected = ours.logits(name, image)
    runners, result = {}, {"name": name, "threads": threads, "peers": {}}
    for peer, make in makers.items():
        runner = make(str(path), threads)
        diff = difference(expected, runner(image))
        if diff > MAX_REL_DIFF:
            raise RuntimeError(f"{peer} differs from us by {diff:.1e} of the logits' range on {name}")
        runners[peer] = runner
        result["peers"][peer] = {"max_rel_diff": diff}
    mine, theirs = [], {peer: [] for peer in runners}
    runs = max(8, int(40 / statistics.median(ours.times(name, 10))))  # about 40 ms of each a round
    for _ in range(rounds):
        ours.times(name, 3)
        mine += ours.times(name, runs)
        for peer, runner in runners.items():
            timed(runner, image, 3)
            theirs[peer] += timed(runner, image, runs)
    result["ms_min"], result["ms_median"] = min(mine), statistics.median(mine)
    for peer, times in theirs.items():
        entry = result["peers"][peer]
        entry["ms_min"], entry["ms_median"] = min(times), statistics.median(times)
        entry["ratio"] = result["ms_min"] / entry["ms_min"]
        entry["ratio_median"] = result["ms_median"] / entry["ms_median"]
    return result


def geometric_means(nets, key):
    """Per peer and against the fastest of them on each net."""
    ratios = {}
    for net in nets:
        for peer, entry in net["peers"].items():
            ratios.setdefault(peer, []).append(entry[key])
        ratios.setdefault("fastest", []).append(max(entry[key] for entry in net["peers"].values()))
    return {peer: math.exp(statistics.fmean(math.log(r) for r in values)) for peer, values in ratios.items()}


def available(names):
    from peers import runtimes

    makers = dict(runtimes.MANDATORY)
    for name, make in runtimes.OPTIONAL.items():
        try:
            importlib.metadata.version(runtimes.PACKAGES[name])
            makers[name] = make
        except importlib.metadata.PackageNotFoundError:
            pass
    return {name: make for name, make in makers.items() if not names or name in names}


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.processor()


def main():
    arguments = parse_arguments()
    enter_venv(arguments.venv or arguments.build / "peers-venv")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    # This file and its package share a name.
    sys.modules.pop("peers", None)
    from peers import runtimes

    makers = available(arguments.peers)
    report = {"schema": 1, "cpu": cpu_name(), "cores": os.cpu_count(), "target": arguments.target or "best"}
    report["versions"] = {name: importlib.metadata.version(runtimes.PACKAGES[name]) for name in makers}
    report["nets"] = []
    with tempfile.TemporaryDirectory(prefix="dofa-peers-") as folder:
        files = export_nets(arguments.build, arguments.nets, folder)
        for threads in arguments.threads:
            ours = Ours(arguments.build, threads, arguments.target)
            for name, path in files.items():
                net = measure_net(name, path, threads, ours, makers, arguments.rounds)
                report["nets"].append(net)
                if not arguments.json:
                    peers = "  ".join(f"{p} {e['ms_min']:.3f} ({e['ratio']:.3f}, {e['ratio_median']:.3f})" for p, e in net["peers"].items())
                    print(f"{name:14} {threads} thread(s)  {net['ms_min']:.3f} ms  {peers}", flush=True)
            ours.close()
    for threads in arguments.threads:
        nets = [net for net in report["nets"] if net["threads"] == threads]
        suffix = "" if threads == 1 else f"_{threads}t"
        report["geomean" + suffix] = geometric_means(nets, "ratio")
        report["geomean_median" + suffix] = geometric_means(nets, "ratio_median")
    if arguments.json:
        print(json.dumps(report))
        return
    print(f"{report['cpu']}; {', '.join(f'{n} {v}' for n, v in report['versions'].items())}")
    for key, means in report.items():
        if key.startswith("geomean"):
            print(key, "  ".join(f"{peer} {ratio:.3f}" for peer, ratio in means.items()))


if __name__ == "__main__":
    main()
