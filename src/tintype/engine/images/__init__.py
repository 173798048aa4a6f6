"""Pictures as files: encoding, and what is written beside the pixels."""
