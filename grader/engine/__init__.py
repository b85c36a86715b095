"""Takes submissions, gives scores: criteria run in the sandbox, nbgrader's gradebook keeps the points."""
