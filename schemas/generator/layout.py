"""Python expressions laid out as `ruff format` would, without depending on which ruff is installed.

The rule that suffices here: on one line if it fits, else one part a line, each with a comma.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

WIDTH = 100


class Expression:
    """Code without parts, such as a name or a literal."""

    def __init__(self, code: str) -> None:
        self._code = code

    def flat(self) -> str:
        """Write it on one line."""
        return self._code

    def lines(self, prefix: str, suffix: str, indent: int) -> list[str]:
        """Write it between `prefix` and `suffix`, on as many lines as it takes."""
        return [" " * indent + prefix + self.flat() + suffix]


class Bracketed(Expression):
    """A head (a callee, or nothing) and parts in brackets: a call, a tuple, the inside of a dict."""

    def __init__(self, head: str, parts: Sequence[Expression], brackets: str = "()") -> None:
        super().__init__(head)
        self._parts = parts
        self._brackets = brackets

    def flat(self) -> str:
        inside = ", ".join(part.flat() for part in self._parts)
        is_tuple = not self._code and self._brackets == "()"
        comma = "," if is_tuple and len(self._parts) == 1 else ""
        return f"{self._code}{self._brackets[0]}{inside}{comma}{self._brackets[1]}"

    def lines(self, prefix: str, suffix: str, indent: int) -> list[str]:
        on_one_line = super().lines(prefix, suffix, indent)
        if not self._parts or len(on_one_line[0]) <= WIDTH:
            return on_one_line
        inside = [line for part in self._parts for line in part.lines("", ",", indent + 4)]
        margin = " " * indent
        return [
            f"{margin}{prefix}{self._code}{self._brackets[0]}",
            *inside,
            f"{margin}{self._brackets[1]}{suffix}",
        ]


class Named(Expression):
    """`name=value` in a call, or `key: value` in a dict."""

    def __init__(self, name: str, value: Expression) -> None:
        super().__init__(name)
        self._value = value

    def flat(self) -> str:
        return self._code + self._value.flat()

    def lines(self, prefix: str, suffix: str, indent: int) -> list[str]:
        return self._value.lines(prefix + self._code, suffix, indent)


def string(text: str) -> str:
    """Write a string literal in double quotes, or in single ones where that saves backslashes."""
    if '"' in text and "'" not in text and "\\" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def docstring(brief: str, note: str = "", *, indent: int = 0) -> str:
    """Write a docstring; the note gets a paragraph of its own where it does not fit the line."""
    margin = " " * indent
    text = f"{brief} {note}".strip()
    if note and indent + len(text) + 6 > WIDTH:
        paragraph = textwrap.fill(note, WIDTH, initial_indent=margin, subsequent_indent=margin)
        text = f"{brief}\n\n{paragraph}\n{margin}"
    return f'{margin}"""{text}"""\n'
