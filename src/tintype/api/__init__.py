"""The wire: the HTTP protocol in front of the use cases."""
