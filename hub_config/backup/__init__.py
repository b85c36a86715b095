"""Backup: one file of everything that cannot be made again, taken while Practicum runs, and a restore that is verified."""
