"""The questions of /api/v1, a module for each kind of thing that is asked for."""
