"""Notebooks of any other language than Python: executed by nbclient with their kernel, which starts cold in a sandbox of its own."""
