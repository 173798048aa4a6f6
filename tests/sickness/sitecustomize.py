"""Run at the start of every Python that finds this folder on its path: makes engine hosts sick."""

import sys

if "tintype.engine.host" in sys.orig_argv:
    import symptoms

    symptoms.infect()
