"""A node as `neurotriage serve` runs it, with a reader that answers at once: python -m ...quick_node SITE_FILE."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from pathlib import Path

from NeuroTriageLib.service.node import Node
from NeuroTriageLib.service.node_log import begin_log
from NeuroTriageLib.service.reader_process import ReaderProcess
from NeuroTriageLib.service.site_file import read_site_file
from Testing.Lib.service import quick_reader


def main() -> None:
    begin_log()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    node = Node(read_site_file(Path(sys.argv[1])), functools.partial(ReaderProcess, target=quick_reader.serve))
    node.start()
    while not stop.wait(0.2):
        pass
    node.stop()


if __name__ == "__main__":
    main()
