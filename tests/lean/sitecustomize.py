"""Run at the start of every Python that finds this folder on its path: makes engine hosts start sooner.

diffusers imports these packages wherever they are installed, though only quantised weights need them, and
that takes a third of the time in which a host gets ready. Most installations do not have them. A test whose
jobs ask such a host for quantised weights takes this folder off the path.
"""

import sys

if "tintype.engine.host" in sys.orig_argv and "--quantisation none" in " ".join(sys.orig_argv):
    sys.modules.update(dict.fromkeys(("bitsandbytes", "peft", "torchao")))
