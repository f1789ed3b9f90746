"""What `crucible-collector` can be told to do, a module a command: `serve`, `migrate`, `doctor`, `sampling`, `prices`, `archive`, `export`, `keys`.

Each has `HELP`, a line; `add_arguments(parser)`, which returns the parsers that take the settings, too; `run(settings,
arguments)`, which returns the exit code; where it prints an answer rather than a log, `IS_QUIET`; and, where it changes something, `changes(arguments)`: what
the audit is told of it, None for an action that only looks. They are
read for `--help`, so whatever takes time is imported within `run`.
"""
