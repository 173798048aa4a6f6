"""What may be asked for and shown: policies, levels, the gate that reads prompts. No pixels, no SQL."""
