"""Makes each adapter's folder importable by its name, as a worker does under a private one."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

ADAPTERS = Path(__file__).parents[2] / "adapters"

for _name in ("control_gic", "dcvc_rt", "diffeic", "hific", "lic_hpcm", "oscar", "vtm"):
    _spec = ModuleSpec(_name, None, is_package=True)
    _spec.submodule_search_locations = [str(ADAPTERS / _name)]
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
