"""What a learner is told of a graded notebook."""
