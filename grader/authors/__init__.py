"""What an author is told about a lab: built as a learner gets it, and tried with its reference submissions, in the sandbox."""
