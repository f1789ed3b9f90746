"""Write what follows from the registry: modules, JSON Schema, reference pages and examples.

    python schemas/generate.py            write them
    python schemas/generate.py --check    write nothing; exit 1 and name what is stale

Exit code 2 and one line where the registry itself is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    # An empty package in the place of the real one, whose `__init__` imports the very module that
    # is to be generated: it must be possible to mend a broken one.
    _package = ModuleType("crucible_schema")
    _package.__path__ = [str(HERE / "crucible_schema")]
    sys.modules["crucible_schema"] = _package

from generator.aliases import read_aliases  # noqa: E402 - after the package it imports from
from generator.aliases_module import aliases_module  # noqa: E402
from generator.catalogue_module import catalogue_module  # noqa: E402
from generator.constants_module import constants_module  # noqa: E402
from generator.examples import event_examples, metric_examples  # noqa: E402
from generator.examples_page import examples_page  # noqa: E402
from generator.form import RegistryError  # noqa: E402
from generator.json_schema import json_schema  # noqa: E402
from generator.json_text import json_text  # noqa: E402
from generator.reference_page import package_page, packages, reference_page  # noqa: E402
from generator.resolve import read_registry  # noqa: E402


def generate(directory: Path) -> dict[Path, str]:
    """Make the text of every generated file from `directory`'s registry and alias table."""
    registry = read_registry(directory / "registry")
    aliases = read_aliases(directory / "aliases.yaml", registry)
    package = directory / "crucible_schema"
    payloads = event_examples(registry) | metric_examples(registry)
    return {
        package / "events.py": constants_module(registry),
        package / "catalogue.py": catalogue_module(registry),
        package / "aliases.py": aliases_module(registry, aliases),
        package / "schema.json": json_text(json_schema(registry, aliases)),
        directory / "REFERENCE.md": reference_page(registry, aliases),
        directory / "EXAMPLES.md": examples_page(registry),
        **{
            directory / "reference" / f"{name}.md": package_page(name, registry)
            for name in packages(registry)
        },
        **{
            directory / "examples" / f"{name}.json": json_text(payload)
            for name, payload in payloads.items()
        },
    }


def stale(files: dict[Path, str]) -> list[Path]:
    """List the files that are missing or say something else."""
    return [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def left_over(directory: Path, files: dict[Path, str]) -> list[Path]:
    """List what lies among generated files and is not one of them any more."""
    return sorted(
        path
        for name in ("reference", "examples")
        for path in (directory / name).glob("*")
        if path not in files
    )


def write(directory: Path, files: dict[Path, str]) -> None:
    """Write what is stale and remove what is left over, and say so."""
    for path in stale(files):
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(directory)}")
    for path in left_over(directory, files):
        path.unlink()
        print(f"removed {path.relative_to(directory)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write what follows from schemas/registry.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    parser.add_argument("--directory", type=Path, default=HERE, help="the schemas directory")
    options = parser.parse_args(arguments)
    try:
        files = generate(options.directory)
    except RegistryError as error:
        print(f"registry: {error}", file=sys.stderr)
        return 2
    if not options.check:
        write(options.directory, files)
        return 0
    outdated = [*stale(files), *left_over(options.directory, files)]
    for path in outdated:
        print(f"stale: {path.relative_to(options.directory)}; run schemas/generate.py")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
