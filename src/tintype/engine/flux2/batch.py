"""Jobs of one layout that step together: one forward pass, each at its own sigma, guidance and seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tintype.engine.flux2.runs import Run


@dataclass(frozen=True)
class Positions:
    """Where the tokens are: (tokens, 4) each, on the device."""

    image: Tensor
    text: Tensor


@dataclass(frozen=True)
class Stepped:
    """What a step was made of. Nothing of it is changed afterwards, so any thread may read it."""

    runs: Sequence[Run]
    latents: Tensor
    """(batch, tokens, channels), before the step."""
    sigmas: Tensor
    velocity: Tensor

    def clean(self, run: Run) -> Tensor:
        """(tokens, channels): where the run's latents would end if they went on straight, x - sigma · v."""
        index = self.runs.index(run)
        return self.latents[index] - self.sigmas[index] * self.velocity[index]


class Batch:
    """Tensors are laid out once for a membership and used for every step it lasts.

    Rows are the jobs with their prompts, then once more the guided ones with the empty prompt.
    """

    def __init__(
        self, runs: Sequence[Run], *, empty: Tensor, positions: Positions, embedded_guidance: bool
    ) -> None:
        self.runs = list(runs)
        self._positions = positions
        self._latents = torch.stack([run.latents for run in runs])
        guided = [index for index, run in enumerate(runs) if run.guided]
        device = self._latents.device
        self._guided = torch.tensor(guided, device=device) if guided else None
        self._all_guided = len(guided) == len(self.runs)
        embeddings = torch.stack([run.embedding for run in runs])
        self._embeddings = torch.cat([embeddings, empty.expand(len(guided), -1, -1)])
        self._references = self._stack_references(guided)
        # Said, since libraries change the usual format for a moment while they load another model.
        guidances = [run.job.guidance for run in runs]
        strengths = torch.tensor(guidances, dtype=torch.float32, device=device)
        self._strength = strengths[guided].view(-1, 1, 1)
        self._guidance = strengths if embedded_guidance else None

    def _stack_references(self, guided: Sequence[int]) -> Tensor | None:
        """(rows, tokens, channels), of runs that have any."""
        tokens = [run.reference_tokens for run in self.runs if run.reference_tokens is not None]
        if not tokens:
            return None
        return torch.stack([*tokens, *(tokens[index] for index in guided)]).to(self._embeddings.dtype)

    def holds(self, runs: Sequence[Run]) -> bool:
        return self.runs == runs

    def release(self) -> None:
        """Give every run its own latents back."""
        for run, latents in zip(self.runs, self._latents, strict=True):
            run.latents = latents

    def step(self, transformer: Callable[..., tuple[Tensor]]) -> "Stepped":
        """One Euler step: x + (sigma' - sigma) · v. If it raises, nothing has changed."""
        steps = [(run.sigmas[run.step], run.sigmas[run.step + 1]) for run in self.runs]
        device = self._latents.device
        sigmas = torch.tensor(steps, dtype=torch.float32, device=device)
        velocity = self._velocity(transformer, sigmas[:, 0])
        stepped = Stepped(runs=self.runs, latents=self._latents, sigmas=sigmas[:, 0], velocity=velocity)
        self._latents = self._latents + (sigmas[:, 1] - sigmas[:, 0]).view(-1, 1, 1) * velocity
        finite = torch.isfinite(self._latents).flatten(1).all(dim=1).tolist()
        # To ask is to wait for the device: a step that is reported is done.
        for run, is_finite in zip(self.runs, finite, strict=True):
            run.finite = is_finite
            run.step += 1
        return stepped

    def _velocity(self, transformer: Callable[..., tuple[Tensor]], sigmas: Tensor) -> Tensor:
        """(batch, tokens, channels), float32: guided as in https://arxiv.org/abs/2207.12598."""
        latents = self._latents
        drawn = latents.shape[1]
        if self._guided is not None:
            latents = torch.cat([latents, latents[self._guided]])
            sigmas = torch.cat([sigmas, sigmas[self._guided]])
        if self._references is not None:
            latents = torch.cat([latents, self._references], dim=1)
        predicted: Tensor = transformer(
            hidden_states=latents,
            timestep=sigmas,
            guidance=self._guidance,
            encoder_hidden_states=self._embeddings,
            txt_ids=self._positions.text,
            img_ids=self._positions.image,
            return_dict=False,
        )[0][:, :drawn].float()
        if self._guided is None:
            return predicted
        count = len(self.runs)
        velocity, unguided = predicted[:count], predicted[count:]
        if self._all_guided:
            return unguided + self._strength * (velocity - unguided)
        velocity[self._guided] = unguided + self._strength * (velocity[self._guided] - unguided)
        return velocity
