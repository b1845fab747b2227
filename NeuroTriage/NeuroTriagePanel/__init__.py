"""The Slicer panel: slicer, qt, vtk, numpy and NeuroTriageLib.core. Never torch.

Importing it makes NeuroTriageLib importable: installed in Slicer the library lies beside this package, in the source
tree one folder higher, and with pip it is importable already.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("NeuroTriageLib") is None:
    sys.path.append(
        next(str(folder) for folder in Path(__file__).resolve().parents if (folder / "NeuroTriageLib").is_dir())
    )
