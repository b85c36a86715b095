"""Recorded AI answers, given again where a notebook is executed again. Standard library only: it starts inside the sandbox."""

from grader.replay.keys import canonical, form_body, request_key

__all__ = ["canonical", "form_body", "request_key"]
