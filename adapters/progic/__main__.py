"""ProGIC's own commands: ``python adapters/progic --help``."""

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Make the folder a package, as the harness's worker does, and run its command line."""
    folder = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        "progic", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None  # noqa: S101 - the file is beside this one
    sys.modules["progic"] = importlib.util.module_from_spec(spec)
    commands = importlib.import_module("progic.tools.commands")
    commands.main(prog_name="progic")


main()
