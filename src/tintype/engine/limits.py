"""What an engine may use of its machine. Imports no tensor library."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where a number is 0 the engine decides, from the device that it is on."""

    memory_mb: int = 0
    """Of the device's memory, beside the weights, for jobs; MiB."""
    step_tokens: int = 0
    """Image and text tokens that one step draws at most, all its jobs together."""
    prompt_cache_mb: int = 256
    """For the embeddings of prompts that have been drawn before; MiB."""
