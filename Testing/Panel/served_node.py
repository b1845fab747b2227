"""A node filled by hand, served by a process of its own until its stdin ends: prints its address as the first line.

    python Testing/Panel/served_node.py FOLDER [RESULT]

With RESULT, a result folder of the sample study, it is the node of the documentation's pictures.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage")]


def main() -> None:
    """One answered exam, one that waits; or those of the pictures."""
    from Testing.Lib.service.made_node import MadeNode, ServedNode
    from Testing.Pictures.worklist_pictures import fill

    node = MadeNode(Path(sys.argv[1]), now=time.time())
    if len(sys.argv) > 2:
        fill(node, Path(sys.argv[2]))
    else:
        node.add_answered(PatientName="DOE^JANE")
        node.add("4.5.6", "reading", fraction=0.25)
    with ServedNode(node) as served:
        print(served.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
