"""The picture classifier of moderation: nsfwjs's MobileNetV2 from npm, as ONNX.

`python -m training.classifier` writes `src/tintype/models/moderation/`; with `--verify` it also runs the
original in TensorFlow.js, and a second implementation in torch, on the same pictures, and says how far apart
they are.

The weights stay what they are in the package: 8-bit numbers with a scale and an offset for each tensor. The
ONNX graph holds them so and unpacks them when it is loaded.
"""

import argparse
import base64
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.packages import WORK

PACKAGE = "nsfwjs@4.3.0"
TENSORFLOW = "@tensorflow/tfjs@4.22.0"
MODEL = "package/dist/models/mobilenet_v2_mid"
SHARDS = 2
CLASSES = ("drawing", "hentai", "neutral", "porn", "sexy")
"""In the order of the network's outputs."""
SIDE = 224
TARGET = Path(__file__).parent.parent / "src" / "tintype" / "models" / "moderation"

Weights = dict[str, tuple[NDArray[np.uint8], float, float]]
"""Name → (8-bit numbers, scale, offset)."""

# Reading the package


def fetch() -> Path:
    """The unpacked package below the work folder; downloads it when it is not there yet."""
    folder = WORK / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{PACKAGE.replace('@', '-')}.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
    unpacked = WORK / archive.stem
    if not unpacked.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
    return unpacked


def module(path: Path) -> Any:
    """What a CommonJS module of the package exports."""
    program = f"const it = require({json.dumps(str(path))}); console.log(JSON.stringify(it.default ?? it))"
    done = subprocess.run(["node", "-e", program], capture_output=True, check=True)
    return json.loads(done.stdout)


def read(package: Path) -> tuple[list[dict[str, Any]], Weights]:
    """The nodes of the graph in their order, and the weights by name."""
    folder = package / MODEL
    model = module(folder / "model.min.js")
    shards = [module(folder / f"group1-shard{n}of{SHARDS}.min.js") for n in range(1, SHARDS + 1)]
    numbers = np.frombuffer(b"".join(base64.b64decode(shard) for shard in shards), np.uint8)
    weights: Weights = {}
    place = 0
    for entry in model["weightsManifest"][0]["weights"]:
        count = int(np.prod(entry["shape"], dtype=np.int64))
        quantization = entry.get("quantization")
        if quantization is None or quantization["dtype"] != "uint8":
            place += 4 * count  # the axes of a squeeze, which the graph names as well
            continue
        values = numbers[place : place + count].reshape(entry["shape"])
        weights[entry["name"]] = (values, quantization["scale"], quantization["min"])
        place += count
    assert place == len(numbers), "the shards hold more than the manifest names"
    return model["modelTopology"]["node"], weights


# Writing ONNX

LAYOUT = {"_FusedConv2D": (3, 2, 0, 1), "FusedDepthwiseConv2dNative": (2, 3, 0, 1)}
"""From (height, width, in, out) and (height, width, channel, 1) to ONNX's (out, in, height, width)."""


class Graph:
    """ONNX nodes, as they come."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._weights = weights

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str, layout: tuple[int, ...] | None = None) -> str:
        """numbers × scale + offset."""
        numbers, scale, offset = self._weights[name]
        short = f"w{len(self.constants)}"
        self.constant(short, numbers.transpose(layout) if layout else numbers)
        self.add("Cast", [short], f"{short}.float", to=TensorProto.FLOAT)
        scaled = [f"{short}.float", self.constant(f"{short}.scale", np.float32(scale))]
        self.add("Mul", scaled, f"{short}.scaled")
        moved = [f"{short}.scaled", self.constant(f"{short}.offset", np.float32(offset))]
        return self.add("Add", moved, f"{short}.value")


def texts(node: dict[str, Any], name: str) -> list[str]:
    return [base64.b64decode(text).decode() for text in node["attr"][name]["list"].get("s", [])]


def convolution(graph: Graph, node: dict[str, Any], source: str) -> str:
    weight, bias = node["input"][1:]
    strides = [int(stride) for stride in node["attr"]["strides"]["list"]["i"]][1:3]
    kernel = graph.weight(weight, LAYOUT[node["op"]])
    groups = graph._weights[weight][0].shape[2] if node["op"].startswith("FusedDepthwise") else 1
    assert base64.b64decode(node["attr"]["padding"]["s"]) == b"SAME"
    fused = texts(node, "fused_ops")
    result = graph.add(
        "Conv",
        [source, kernel, graph.weight(bias)],
        f"{node['name']}:sum" if len(fused) > 1 else node["name"],
        strides=strides,
        auto_pad="SAME_UPPER",
        group=groups,
    )
    if fused == ["BiasAdd"]:
        return result
    assert fused == ["BiasAdd", "Relu6"]
    limits = [graph.constant(f"{node['name']}:low", np.float32(0))]
    limits.append(graph.constant(f"{node['name']}:high", np.float32(6)))
    return graph.add("Clip", [result, *limits], node["name"])


def convert(  # noqa: C901 - one case for each kind of node
    nodes: list[dict[str, Any]], weights: Weights
) -> onnx.ModelProto:
    """The network: uint8 pixels (1, 224, 224, 3), RGB, to the probabilities of CLASSES (1, 5)."""
    graph = Graph(weights)
    graph.add("Cast", ["pixels"], "numbers", to=TensorProto.FLOAT)
    graph.add("Transpose", ["numbers"], "planes", perm=[0, 3, 1, 2])
    graph.add("Div", ["planes", graph.constant("levels", np.float32(255))], "input")
    for node in nodes:
        sources = node.get("input", [])
        match node["op"]:
            case "Const" | "Placeholder":
                pass
            case "Mul":
                graph.add("Mul", [graph.weight(sources[0]), sources[1]], node["name"])
            case "Sub":
                graph.add("Sub", [sources[0], graph.weight(sources[1])], node["name"])
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative":
                convolution(graph, node, sources[0])
            case "AddV2":
                graph.add("Add", sources, node["name"])
            case "AvgPool":
                assert node["attr"]["ksize"]["list"]["i"] == ["1", "7", "7", "1"]
                graph.add("GlobalAveragePool", sources, node["name"])
            case "Squeeze":
                graph.add("Flatten", sources, node["name"])
            case "_FusedMatMul":
                weight, bias = (graph.weight(name) for name in sources[1:])
                graph.add("Gemm", [sources[0], weight, bias], node["name"])
            case "Softmax":
                graph.add("Softmax", sources, "scores", axis=1)
            case "Identity":
                pass
            case other:
                raise ValueError(f"{other} is not known")
    return finished(graph)


def finished(graph: Graph) -> onnx.ModelProto:
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "nsfwjs-mobilenet-v2-mid",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(CLASSES)])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="training.classifier",
    )
    shorten(model)
    helper.set_model_props(model, {"source": PACKAGE, "licence": "MIT", "classes": ",".join(CLASSES)})
    onnx.checker.check_model(model, full_check=True)
    return model


def shorten(model: onnx.ModelProto) -> None:
    """TensorFlow's names of a hundred characters become numbers."""
    kept = {"pixels", "scores"}
    names: dict[str, str] = {}

    def short(name: str) -> str:
        return name if name in kept else names.setdefault(name, f"t{len(names)}")

    for constant in model.graph.initializer:
        constant.name = short(constant.name)
    for node in model.graph.node:
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
        node.name = node.output[0]


# Verifying


def samples() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Pictures that anybody can make again: flat, shaded, striped, noisy."""
    generator = np.random.default_rng(20)
    ramp = np.linspace(0, 255, SIDE).astype(np.uint8)
    yield "black", np.zeros((SIDE, SIDE, 3), np.uint8)
    yield "white", np.full((SIDE, SIDE, 3), 255, np.uint8)
    yield "skin", np.full((SIDE, SIDE, 3), (224, 172, 140), np.uint8)
    yield "shaded", np.stack([*np.meshgrid(ramp, ramp), np.full((SIDE, SIDE), 128, np.uint8)], axis=-1)
    yield "stripes", np.broadcast_to((ramp[:, None, None] // 16 % 2 * 255), (SIDE, SIDE, 3)).astype(np.uint8)
    yield "noise", generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    coarse = generator.integers(0, 256, (7, 7, 3), np.uint8)
    yield "patches", np.kron(coarse, np.ones((32, 32, 1), np.uint8))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = ((rows - 112) ** 2 + (columns - 100) ** 2 < 70**2)[..., None]
    yield "disc", np.where(disc, np.uint8([210, 150, 120]), np.uint8([250, 250, 240])).astype(np.uint8)


ORIGINAL = """
const fs = require("fs");
const tf = require("@tensorflow/tfjs");
const folder = process.argv[2], shards = Number(process.argv[3]), side = 224;
const load = (name) => { const it = require(folder + "/" + name); return it.default ?? it; };
const model = load("model.min.js");
const parts = [];
for (let n = 1; n <= shards; n++)
  parts.push(Buffer.from(load(`group1-shard${n}of${shards}.min.js`), "base64"));
const data = Buffer.concat(parts);
(async () => {
  const graph = await tf.loadGraphModel(tf.io.fromMemory({
    modelTopology: model.modelTopology, format: model.format,
    weightSpecs: model.weightsManifest[0].weights,
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
  }));
  const pixels = fs.readFileSync(process.argv[4]);
  const all = [];
  for (let at = 0; at < pixels.length; at += side * side * 3) {
    const one = tf.tensor(Float32Array.from(pixels.subarray(at, at + side * side * 3)), [1, side, side, 3]);
    all.push(Array.from(graph.predict(one.div(255)).dataSync()));
  }
  console.log("\\n" + JSON.stringify(all));
})();
"""


def in_tensorflow(package: Path, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The scores that the package's own network gives, in TensorFlow.js."""
    folder = WORK / "tfjs"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-save", TENSORFLOW], cwd=folder, check=True)
    (folder / "original.cjs").write_text(ORIGINAL)
    (folder / "pictures.bin").write_bytes(b"".join(picture.tobytes() for picture in pictures))
    command = ["node", "original.cjs", str(package / MODEL), str(SHARDS), "pictures.bin"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def in_torch(  # noqa: C901 - likewise
    nodes: list[dict[str, Any]], weights: Weights, pictures: list[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    """The same, layer by layer, in double precision."""
    import torch
    from torch.nn import functional

    def value(name: str) -> torch.Tensor:
        numbers, scale, offset = weights[name]
        return torch.from_numpy(np.asarray(numbers.astype(np.float64) * scale + offset))

    known: dict[str, torch.Tensor] = {
        "input": torch.from_numpy(np.stack(pictures).astype(np.float64) / 255).permute(0, 3, 1, 2)
    }
    for node in nodes:
        sources, name = node.get("input", []), node["name"]
        match node["op"]:
            case "Mul":
                known[name] = known[sources[1]] * value(sources[0])
            case "Sub":
                known[name] = known[sources[0]] - value(sources[1])
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative":
                kernel = value(sources[1]).permute(*LAYOUT[node["op"]])
                stride = int(node["attr"]["strides"]["list"]["i"][1])
                inner, size = known[sources[0]], kernel.shape[-1]
                # "SAME": what is missing is added, the odd part at the end
                missing = max((-(-inner.shape[-1] // stride) - 1) * stride + size - inner.shape[-1], 0)
                inner = functional.pad(inner, (missing // 2, missing - missing // 2) * 2)
                groups = kernel.shape[0] if kernel.shape[1] == 1 else 1
                known[name] = functional.conv2d(inner, kernel, value(sources[2]), stride, groups=groups)
                if "Relu6" in texts(node, "fused_ops"):
                    known[name] = functional.relu6(known[name])
            case "AddV2":
                known[name] = known[sources[0]] + known[sources[1]]
            case "AvgPool":
                known[name] = known[sources[0]].mean((2, 3), keepdim=True)
            case "Squeeze":
                known[name] = known[sources[0]].flatten(1)
            case "_FusedMatMul":
                known[name] = known[sources[0]] @ value(sources[1]) + value(sources[2])
            case "Softmax":
                return np.asarray(known[sources[0]].softmax(1))
    raise ValueError("the graph has no softmax")


def in_onnx(path: Path, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["scores"], {"pixels": picture[None]})[0] for picture in pictures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="compare with TensorFlow.js and torch")
    options = parser.parse_args()
    package = fetch()
    nodes, weights = read(package)
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / "classifier.onnx"
    onnx.save(convert(nodes, weights), path)
    print(f"{path}: {path.stat().st_size:,} bytes")
    if options.verify:
        names, pictures = zip(*samples(), strict=True)
        ours = in_onnx(path, list(pictures))
        theirs = in_tensorflow(package, list(pictures))
        again = in_torch(nodes, weights, list(pictures))
        print(f"greatest difference to TensorFlow.js: {abs(ours - theirs).max():.2e}")
        print(f"greatest difference to torch: {abs(ours - again).max():.2e}")
        for name, scores in zip(names, theirs, strict=True):
            print(f"{name:8}", " ".join(f"{score:.6f}" for score in scores))


if __name__ == "__main__":
    main()
