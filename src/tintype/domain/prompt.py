"""How much of a prompt counts."""

LONGEST_READ = 2**16
"""Characters of a prompt that are judged and drawn: 128 for each token of the longest FLUX.2 prompt, of which
usual text takes 4. What comes after them is not looked at by anything."""
