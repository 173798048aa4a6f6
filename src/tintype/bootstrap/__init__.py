"""The composition root: settings in, running parts out. Whoever opens something here closes it here.

A command imports the part it needs alone, since most are done before the whole would be imported.
"""
