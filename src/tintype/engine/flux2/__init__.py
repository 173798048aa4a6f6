"""Drawing with FLUX.2 checkpoints: text, noise, steps, decoding. The only place that knows tensors."""
