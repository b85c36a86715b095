"""Assignments that an instructor wrote in the course's folder."""
