"""How the embedded checkpoint was made, end to end and repeatable; README.md gives the order of commands."""
