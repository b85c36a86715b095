"""Imports of rosters, timetables and official attendance: a file becomes rows, rows become a plan. Pure: no database, no clock."""
