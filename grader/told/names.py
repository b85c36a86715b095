"""The parts of a feedback page by their names: nbgrader's configuration is made where none of nbconvert is imported yet."""

from __future__ import annotations

#: In the place of nbgrader's own list, for formgrader's button too.
PREPROCESSORS = (
    "grader.told.pages.ForLearner",
    "nbconvert.preprocessors.sanitize.SanitizeHTML",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
)
EXPORTER = "grader.told.pages.LearnerPage"
