"""``python -m NeuroTriagePanel.write_scene EXCHANGE_FOLDER OUT.mrb``: a Slicer scene of an exam, without Slicer.

A process of its own, because a MRML scene outside Slicer can only be left by ending the process. On failure the last
line on stderr is one JSON object with what, where and next_step; the lines before it are VTK's own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from NeuroTriageLib.core.errors import NeuroTriageError, OutputError
from NeuroTriageLib.core.exam_bundle import write_bundle
from NeuroTriageLib.core.exchange import load_exam, save_exam


def write_scene(exchange_folder: Path, path: Path) -> None:
    """Read the exam, show it in a new scene and write that as an .mrb file. Raises NeuroTriageError."""
    from .exam_node import keep_exam
    from .scene_bridge import right_handed, show_exam
    from .slice_views import first_key_point_ras, look_along_slices, look_at, show_in_slice_views
    from .standalone_scene import add_slice_views, start_scene

    result = load_exam(exchange_folder)
    with tempfile.TemporaryDirectory() as cache:
        application = start_scene(Path(cache))
        import slicer

        add_slice_views(application)
        result = right_handed(result)
        nodes = show_exam(result)
        save_exam(result, Path(cache, "exam"))
        keep_exam(nodes, write_bundle(Path(cache, "exam")).read_bytes())
        show_in_slice_views(nodes.ct)
        point = first_key_point_ras(result)
        look_at(point)
        look_along_slices(slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed"), result.grid, point)
        if not slicer.mrmlScene.WriteToMRB(str(path)):
            raise OutputError("The Slicer scene could not be written.", where=path.name)


def main() -> int:
    """Write the scene named on the command line; the exit code of the process."""
    try:
        write_scene(Path(sys.argv[1]), Path(sys.argv[2]))
    except NeuroTriageError as error:
        return _fail(error.what, error.where, error.next_step, error.exit_code)
    except ImportError as error:
        return _fail(str(error), "import", "", 1)
    except OSError as error:
        return _fail(f"The Slicer scene could not be written: {error.strerror}.", "scene.mrb", "", 1)
    return 0


def _fail(what: str, where: str, next_step: str, exit_code: int) -> int:
    print(json.dumps({"what": what, "where": where, "next_step": next_step}), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
