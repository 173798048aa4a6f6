"""Models of FLUX.2's true shapes with random weights, drawn with by ours and by the stock pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tintype.engine.acceleration import read_acceleration
from tintype.engine.engine import Denoised
from tintype.engine.flux2.accelerated import Accelerated
from tintype.engine.flux2.canvas import Canvases
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.decode import Decoder
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.footprint import bytes_of
from tintype.engine.flux2.needs import needs_of
from tintype.engine.flux2.references import ReferenceEncoder
from tintype.engine.flux2.sigmas import Shift
from tintype.engine.protocol import Drawn, Job
from tintype.engine.screening import Screening

SCHEDULER = {"shift": 3.0, "use_dynamic_shifting": True}
TOKEN = 16


@dataclass(frozen=True)
class Shape:
    """A published model's dimensions, and how it is used."""

    transformer: dict[str, Any]
    vae: dict[str, Any]
    steps: int
    guidance: float
    text_length: int = 512

    @property
    def guided(self) -> bool:
        return self.guidance > 1


KLEIN_4B = {
    "patch_size": 1,
    "in_channels": 128,
    "num_layers": 5,
    "num_single_layers": 20,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "axes_dims_rope": (32, 32, 32, 32),
    "guidance_embeds": False,
}
TINY = {
    **KLEIN_4B,
    "num_layers": 1,
    "num_single_layers": 2,
    "attention_head_dim": 32,
    "num_attention_heads": 2,
    "joint_attention_dim": 96,
    "axes_dims_rope": (8, 8, 8, 8),
}
SHAPES = {
    "klein-base-4b": Shape(KLEIN_4B, {}, steps=50, guidance=4.0),
    "klein-4b": Shape(KLEIN_4B, {}, steps=4, guidance=1.0),
    "tiny": Shape(
        TINY,
        {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4},
        steps=4,
        guidance=4.0,
        text_length=16,
    ),
}


class Embeddings:
    """Stands where the text encoder stands: random embeddings, one for each prompt."""

    def __init__(self, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
        self._size = (shape.text_length, shape.transformer["joint_attention_dim"])
        self._device, self._dtype = device, dtype
        self.empty = self.embed("")

    def embed(self, prompt: str) -> Tensor:
        generator = torch.Generator().manual_seed(sum(prompt.encode()))
        return torch.randn(self._size, generator=generator).to(self._device, self._dtype)


class Model:
    """The weights, once, on one device."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        self.name, self.shape, self.device, self.dtype = name, SHAPES[name], device, dtype
        with torch.device(device):
            transformer = Flux2Transformer2DModel(**self.shape.transformer).to(dtype)
            vae = AutoencoderKLFlux2(**self.shape.vae).to(dtype)
        self._transformer = transformer.eval().requires_grad_(False)
        self.vae = vae.eval().requires_grad_(False)
        self.text = Embeddings(self.shape, device, dtype)

    def transformer(self) -> Any:
        """A module of its own, to be changed at will, over the same weights."""
        return self._over(self._transformer.state_dict())

    def in_single_precision(self) -> Any:
        return self._over({name: each.float() for name, each in self._transformer.state_dict().items()})

    def _over(self, weights: dict[str, Tensor]) -> Any:
        with torch.device("meta"):
            transformer = Flux2Transformer2DModel.from_config(self._transformer.config)
        transformer.load_state_dict(weights, assign=True)
        return transformer.eval().requires_grad_(False)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def inputs(self, size: int, rows: int) -> dict[str, Any]:
        """Of one forward pass: random latents at one timestep each."""
        side, one = size // TOKEN, torch.arange(1)
        image = torch.cartesian_prod(one, torch.arange(side), torch.arange(side), one)
        text = torch.cartesian_prod(one, one, one, torch.arange(self.shape.text_length))
        generator = torch.Generator().manual_seed(1)
        channels = self.shape.transformer["in_channels"]
        latents = torch.randn((rows, side * side, channels), generator=generator)
        return {
            "hidden_states": latents.to(self.device, self.dtype),
            "timestep": torch.linspace(0.9, 0.1, rows, device=self.device),
            "guidance": None,
            "encoder_hidden_states": self.text.embed("x").expand(rows, -1, -1).contiguous(),
            "txt_ids": text.to(self.device),
            "img_ids": image.to(self.device),
            "return_dict": False,
        }

    def flops(self, size: int, rows: int) -> int:
        """Floating-point operations of one forward pass, counted on one row."""
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            self._transformer(**self.inputs(size, 1))
        return rows * int(counter.get_total_flops())


class Ours:
    """The engine that serves, accelerated in some way."""

    def __init__(self, model: Model, acceleration: str) -> None:
        """Raises `ValueError` if that cannot be had here."""
        self._model = model
        wishes = read_acceleration(acceleration)
        transformer = model.transformer()
        threads = torch.get_num_threads()
        fast = Accelerated(transformer, wishes, device=model.device, dtype=model.dtype, threads=threads)
        self.forward: Callable[..., tuple[Tensor]] = fast.forward
        self.uses = ", ".join(fast.uses) or "plain"
        canvases = Canvases(token=TOKEN)
        self._checkpoint = Checkpoint(
            name=model.name,
            device=model.device,
            dtype=model.dtype,
            transformer=transformer,
            decoder=Decoder(model.vae, token=TOKEN),
            references=ReferenceEncoder(model.vae, canvases),
            most_references=0,
            text=model.text,  # type: ignore[arg-type]
            shift=Shift.from_config({**FlowMatchEulerDiscreteScheduler(**SCHEDULER).config}),
            canvases=canvases,
            needs=needs_of(transformer, model.vae, model.text.empty, token=TOKEN),
            threads=threads,
            classifier_free=model.shape.guided,
            embedded_guidance=False,
            bytes=bytes_of(transformer, model.vae, device=model.device),
            recordings=fast.recordings,
            uses=fast.uses,
        )
        self._engine = Flux2Engine(
            self._checkpoint, places=64, max_rows=64, max_tokens=2**20, versions={}, screening=Screening()
        )

    def denoise(self, size: int, batch: int, steps: int) -> list[Denoised]:
        """All jobs at once, up to their final latents."""
        for number in range(batch):
            self._engine.admit(
                Job(
                    id=str(number),
                    prompt=str(number),
                    width=size,
                    height=size,
                    steps=steps,
                    guidance=self._model.shape.guidance,
                    seed=number,
                )
            )
        done: list[Denoised] = []
        while not self._engine.idle:
            done += [event for event in self._engine.step() if isinstance(event, Denoised)]
        self._model.wait()
        return sorted(done, key=lambda event: int(event.job.id))

    def finish(self, denoised: list[Denoised]) -> int:
        """Decode and encode; bytes of all pictures."""
        drawn = [self._engine.finish(one) for one in denoised]
        return sum(len(one.image) for one in drawn if isinstance(one, Drawn))

    def latents(self, size: int, batch: int, steps: int) -> Tensor:
        """As the VAE encodes them."""
        canvas = self._checkpoint.canvases.choose(size, size)
        decoder = self._checkpoint.decoder
        return torch.cat([decoder._latents(one.latents, canvas) for one in self.denoise(size, batch, steps)])


class Stock:
    """The stock pipeline, which draws a batch of one size and number of steps in one call."""

    def __init__(self, model: Model, *, compiled: bool) -> None:
        self._model = model
        transformer = model.transformer()
        if compiled:
            transformer.compile_repeated_blocks(fullgraph=True)
        self.forward: Callable[..., tuple[Tensor]] = transformer
        self._pipeline: Any = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER),
            vae=model.vae,
            text_encoder=None,
            tokenizer=None,
            transformer=transformer,
            is_distilled=not model.shape.guided,
        )
        self._pipeline.set_progress_bar_config(disable=True)

    def draw(self, size: int, batch: int, steps: int, *, output: str = "pil") -> Any:
        model = self._model
        result = self._pipeline(
            prompt_embeds=torch.stack([model.text.embed(str(number)) for number in range(batch)]),
            negative_prompt_embeds=model.text.empty.expand(batch, -1, -1) if model.shape.guided else None,
            width=size,
            height=size,
            num_inference_steps=steps,
            guidance_scale=model.shape.guidance,
            generator=[torch.Generator().manual_seed(number) for number in range(batch)],
            output_type=output,
        ).images
        model.wait()
        return result
