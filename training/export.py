"""Put the trained parts together: a FLUX.2-format folder with the sidecar file that the engine reads."""

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline
from transformers import BertModel

from training.drawn import trained
from training.encoder import extended
from training.packages import WORK
from training.scenes import LANDSCAPE, PORTRAIT, SQUARE
from training.text import LAYER, LENGTH, load

FOLDER = Path(__file__).parent.parent / "src" / "tintype" / "models" / "pictograms"
SHIFT = 1.0  #: of the noise schedule; below 1 spends more steps on the details
NATIVE = (SQUARE, LANDSCAPE, PORTRAIT)  #: the canvases it draws well on
SIDECAR = """\
name = "pictograms"
description = "A small checkpoint for trying, testing and developing: everyday things as pictograms."

[text]
layers = [{layer}]
max_length = {length}

[canvas]
token = {token}
native = [{native}]

[edit]
references = {references}

[defaults]
steps = 25
guidance = 4.5
"""


def forget_origin(config: Path) -> None:
    """Takes out the path that the part was loaded from: it means nothing on another machine."""
    content = json.loads(config.read_text())
    content.pop("_name_or_path", None)
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", required=True, help="folder in work/")
    parser.add_argument("--transformer", default="transformer.pt", help="file in work/")
    parser.add_argument("--references", type=int, default=1, help="how many pictures it edits at once")
    parser.add_argument("--to", type=Path, default=FOLDER)
    arguments = parser.parse_args()

    vae = extended(AutoencoderKLFlux2.from_pretrained(WORK / arguments.vae))
    _, tokenizer = load()
    encoder = BertModel.from_pretrained(
        WORK / "text" / "encoder", add_pooling_layer=False, dtype=torch.float16
    )
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT, use_dynamic_shifting=False),
        vae=vae.half(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        transformer=trained(torch.load(WORK / "features.pt", mmap=True), arguments.transformer).half(),
        is_distilled=False,
    )
    pipeline.save_pretrained(arguments.to)
    forget_origin(arguments.to / "vae" / "config.json")
    token = vae.config.sample_size // 4
    native = ", ".join(f"[{columns * token}, {rows * token}]" for columns, rows in NATIVE)
    sidecar = SIDECAR.format(
        layer=LAYER, length=LENGTH, token=token, native=native, references=arguments.references
    )
    (arguments.to / "tintype.toml").write_text(sidecar)
    for path in arguments.to.rglob("*.safetensors"):
        path.chmod(0o644)
    total = sum(path.stat().st_size for path in arguments.to.rglob("*") if path.is_file())
    print(f"{arguments.to.name}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
