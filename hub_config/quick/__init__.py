"""Servers and kernels in half a second: forked from a process that has imported everything, into a bubblewrap sandbox."""
