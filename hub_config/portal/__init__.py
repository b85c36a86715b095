"""The web pages of learners, instructors and the institution's office. The rule: a page shows records, it keeps none."""
