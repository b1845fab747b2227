"""The result folders of a batch: an exam's is there complete, and on the disk, or not at all."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import output_error
from ..outputs.result_files import FINDINGS_FILE
from ..review.durable_files import TEMPORARY, DurableFiles, sync_tree

FOLDER = "exams"


class ResultStore:
    """The folders of one output folder that hold the answers of certain models.

    They lie in 256 folders, so that none holds a hundred thousand: OUT/exams/MODEL/7f/STUDY_UID.

    Args:
        out: the output folder.
        model_hash: of what reads (model_identity.py).
    """

    def __init__(self, out: Path, model_hash: str) -> None:
        self._top = out / FOLDER / model_hash[:16]
        self._files = DurableFiles()

    def folder(self, exam: str) -> Path:
        """Where the exam's results are, or would be."""
        return self._top / hashlib.blake2b(exam.encode(), digest_size=1).hexdigest() / exam

    def document(self, exam: str) -> dict[str, Any] | None:
        """The exam's findings.json; None when it has no results yet."""
        try:
            return json.loads((self.folder(exam) / FINDINGS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def publish(self, exam: str, write: Callable[[Path], None]) -> None:
        """Let `write` fill a new folder (which it makes) and give it the exam's name.

        When another worker has published the exam meanwhile, its answer stays: it is as good.

        Raises:
            OutputError: no rights, a full disk; nothing is left then.
        """
        final = self.folder(exam)
        partial = final.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            sync_tree(partial)
            self._files.publish(partial, final)
            self._files.sync_folder(final.parent)
        except FileExistsError:
            shutil.rmtree(partial, ignore_errors=True)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise output_error(error, final.parent) from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def remove_unfinished(self) -> None:
        """Clear away what killed workers have left; call it while none runs."""
        for path in self._top.glob("*/.*"):
            shutil.rmtree(path, ignore_errors=True)
