"""Collecting, grading and records: submissions in, scores and decisions out, and the journal they rest on."""
