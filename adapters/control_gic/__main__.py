"""Control-GIC's own command: ``python adapters/control_gic search --help``."""

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Make the folder a package, as the harness's worker does, and run its command line."""
    folder = Path(__file__).parent
    spec = importlib.util.spec_from_loader("control_gic", loader=None, is_package=True)
    assert spec is not None  # noqa: S101 - a package without a file needs no loader
    spec.submodule_search_locations = [str(folder)]
    sys.modules["control_gic"] = importlib.util.module_from_spec(spec)
    search = importlib.import_module("control_gic.tools.search")
    search.main(prog_name="control_gic")


main()
