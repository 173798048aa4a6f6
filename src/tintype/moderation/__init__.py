"""What may be asked for and shown: policies, levels, and the gate that reads prompts. Knows no pixels, no SQL."""
