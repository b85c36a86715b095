"""A submitted notebook of a criteria lab, executed again, to see whether its result comes out once more. It changes no points."""
