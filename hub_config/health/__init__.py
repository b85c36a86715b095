"""How an installation is doing. The rule: one place gathers it; the terminal and the operator's page only show it."""
