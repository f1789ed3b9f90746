"""The snippets of sdk/README.md, as a reader copies them.

One whose first line is a comment with a file's name is a whole program; the others go on from one
another in one session.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "sdk" / "README.md"
_PROGRAM = re.compile(r"# (\w+\.py)\n")
# What a program needs beyond the SDK, by the file's name.
NEEDS = {"train_torch.py": ("torch", "sklearn"), "search.py": ("sklearn",)}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def session() -> list[str]:
    """The snippets that are no programs, in their order."""
    return [block for block in blocks("python") if not _PROGRAM.match(block)]


def programs() -> dict[str, str]:
    """File name -> program."""
    found = [(_PROGRAM.match(block), block) for block in blocks("python")]
    return {match[1]: block for match, block in found if match}


def write_programs(directory: Path) -> None:
    for name, program in programs().items():
        (directory / name).write_text(program)


def run(directory: Path, name: str, **environment: str) -> str:
    """Run a program that `write_programs` has written; skips where a library is missing."""
    for library in NEEDS.get(name, ()):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed, which {name} needs: make integrations")
    answer = subprocess.run(
        [sys.executable, name],
        cwd=directory,
        env={**os.environ, "CRUCIBLE_SPOOL_DIR": str(directory / "spool"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, (name, answer.stderr[-3000:])
    assert answer.stderr == "", name  # no warning, ours or others'
    return answer.stdout
