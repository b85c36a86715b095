"""Reports: tables made of how learners stand, and the ways to show them. No database and no clock."""
