"""Python notebooks executed in warm forks: a template process in the sandbox has imported what a lab needs, and forks for each submission."""
