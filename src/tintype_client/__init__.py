"""The Python SDK of Tintype; talks to a server, never imports one."""
