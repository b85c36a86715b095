"""Finds submissions of a lab that are suspiciously alike: a place to look, never a verdict."""
