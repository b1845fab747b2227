"""The models that were accepted on this computer: kept for good, in force until one goes back.

    models/packs/NAME-DIGEST/        copies of accepted packs, written once
    models/comparisons/NEW-OLD-.../  comparison.json of each comparison that was made, written once
    models/history.jsonl             one line for each time that a model was accepted or taken back; only added to

What is in force follows from the history alone: the last model of a system that was accepted and not taken back. A line
that a power cut has cut off was never acted on and does not count.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .core.errors import ConfigError, ModelError, output_error
from .core.user_data import user_data_folder
from .core.whole_files import drop_torn_line
from .io.model_packs import ModelPack, load_model_pack, pack_digest, pack_files, read_manifest
from .review.durable_files import DurableFiles, publish_folder

PACKS, COMPARISONS, HISTORY_FILE, COMPARISON_FILE = "packs", "comparisons", "history.jsonl", "comparison.json"
DIGEST_SHOWN = 12  # hex digits of a pack's digest in a folder's name: enough to tell a site's models apart (ours)


@dataclass(frozen=True)
class Entry:
    """One line of the history.

    Args:
        action: "accept", or "back": the last acceptance in force (of this system) ends.
        when_utc, who: time, and the account's name on this computer.
        system: catalog key.
        pack: name of the folder below packs/.
        name, version, sha256: the model's identity, as results carry it.
        digest: of the whole pack (pack_digest).
        reader_of: the modality ("CT") that this system reads by default from now on; "" leaves the default reader.
        comparison: figures of the comparison that was accepted; None without one.
        despite: why it was accepted without a comparison, or against its advice; "" otherwise.
    """

    action: Literal["accept", "back"]
    when_utc: str
    who: str
    system: str
    pack: str
    name: str
    version: str
    sha256: str
    digest: str
    reader_of: str = ""
    comparison: dict[str, Any] | None = None
    despite: str = ""


@dataclass(frozen=True)
class Acceptance:
    """What a user decides when a model is accepted.

    Args:
        reader_of: see Entry.
        despite: see Entry.
        who: see Entry.
    """

    reader_of: str = ""
    despite: str = ""
    who: str = field(default_factory=lambda: _account())


class ModelRegistry:
    """The registry in a folder; nothing is made until something is kept.

    Methods that write raise OutputError when the disk refuses; what was there before is then still there.

    Args:
        folder: of the registry; the user's own unless named.
        files: the file system.
    """

    def __init__(self, folder: Path | None = None, files: DurableFiles | None = None) -> None:
        self.folder = folder or user_data_folder() / "models"
        self._files = files or DurableFiles()

    def history(self) -> tuple[Entry, ...]:
        """Every acceptance and step back, the oldest first. Raises ModelError when a whole line is no entry."""
        path = self.folder / HISTORY_FILE
        if not path.exists():
            return ()
        lines = path.read_text(encoding="utf-8").split("\n")
        entries = []
        for number, line in enumerate(lines[:-1], start=1):  # what follows the last line end was cut off
            if not line.strip():
                continue
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise ModelError(f"Line {number} of the models' history cannot be read.", where=str(path)) from error
        return tuple(entries)

    def in_force(self) -> tuple[Entry, ...]:
        """The acceptances that were not taken back, the oldest first."""
        standing: list[Entry] = []
        for entry in self.history():
            if entry.action == "accept":
                standing.append(entry)
            elif (last := _last(standing, entry.system)) is not None:
                standing.remove(last)
        return tuple(standing)

    def current(self, system: str) -> Entry | None:
        """The accepted model of a system; None while that which ships is used."""
        return _last(self.in_force(), system)

    def reader_of(self, modality: str) -> str | None:
        """The system that an acceptance made the default reader of a modality; None without one."""
        chosen = [entry.system for entry in self.in_force() if entry.reader_of == modality]
        return chosen[-1] if chosen else None

    def pack_path(self, entry: Entry) -> Path:
        """Where an accepted model lies. Raises ModelError when its folder is gone."""
        path = self.folder / PACKS / entry.pack
        if not path.is_dir():
            raise ModelError(
                f"The accepted model of {entry.system} is not in its folder any more.",
                where=str(path),
                next_step="Restore the folder, or go back to the model before: neurotriage models back.",
            )
        return path

    def find(self, name: str) -> Path | None:
        """The folder of a kept pack by the folder's name, or by the SHA-256 of its weights; None without one."""
        folder = self.folder / PACKS
        if not name or not folder.is_dir():
            return None
        kept = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        return next((path for path in kept if path.name == name or name in _hashes(path)), None)

    def keep_comparison(self, document: Mapping[str, Any], digests: tuple[str, str]) -> Path:
        """Keep a comparison of two packs (digests of the new and the old one); returns its folder."""
        content = {COMPARISON_FILE: (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()}
        stem = "-".join(digest[:DIGEST_SHOWN] for digest in digests)
        return self._publish(COMPARISONS, content, f"{stem}-{_stamp()}-{secrets.token_hex(2)}")

    def comparison(self, new: str, old: str) -> dict[str, Any] | None:
        """The latest comparison of two packs, by their digests; None when they were never compared."""
        folder = self.folder / COMPARISONS
        stem = f"{new[:DIGEST_SHOWN]}-{old[:DIGEST_SHOWN]}-"
        for path in sorted(folder.glob(f"{stem}*"), reverse=True) if folder.is_dir() else ():
            try:
                document = json.loads((path / COMPARISON_FILE).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue  # damaged: it counts as never made, and can be made again
            if (document.get("new", {}).get("digest"), document.get("old", {}).get("digest")) == (new, old):
                return dict(document)
        return None

    def accept(self, pack: ModelPack, acceptance: Acceptance, comparison: Mapping[str, Any] | None) -> Entry:
        """Keep a copy of the pack and use it from now on."""
        digest = pack_digest(pack.manifest)
        folder = self._keep_pack(pack, digest)
        identity = pack.identity
        entry = Entry(
            "accept", _now(), acceptance.who, pack.manifest.system, folder.name,
            identity.name, identity.version, identity.sha256, digest,
            acceptance.reader_of, None if comparison is None else dict(comparison), acceptance.despite,
        )  # fmt: skip
        self._add(entry)
        return entry

    def back(self, system: str | None = None, who: str | None = None) -> Entry:
        """End the last acceptance in force (of a system); its pack stays on disk. Returns what ended.

        Raises ConfigError when the model that ships is in use already.
        """
        standing = self.in_force()
        last = _last(standing, system) if system else (standing[-1] if standing else None)
        if last is None:
            raise ConfigError(
                "There is nothing to go back from: the model that ships is in use.", where=system or "models"
            )
        taken_back = replace(last, action="back", when_utc=_now(), reader_of="", comparison=None, despite="")
        self._add(replace(taken_back, who=_account() if who is None else who))
        return last

    def _keep_pack(self, pack: ModelPack, digest: str) -> Path:
        name = f"{pack.manifest.name}-{digest[:DIGEST_SHOWN]}"
        kept = self.folder / PACKS / name
        if kept.is_dir():
            load_model_pack(kept)  # damaged since: the error says so
            return kept
        return self._publish(PACKS, pack_files(pack.path), name)

    def _publish(self, room: str, content: Mapping[str, bytes], name: str) -> Path:
        parent = self.folder / room
        try:
            parent.mkdir(parents=True, exist_ok=True)
            return parent / publish_folder(self._files, content, parent, lambda: name, keep_existing=True)
        except OSError as error:
            raise output_error(error, self.folder) from error

    def _add(self, entry: Entry) -> None:
        """Add a line with one write, on the disk on return; a line that was cut off before is closed first."""
        path = self.folder / HISTORY_FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            drop_torn_line(path)  # a power cut left it, and nobody was told that it was done
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, (json.dumps(asdict(entry), allow_nan=False) + "\n").encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            self._files.sync_folder(self.folder)
        except OSError as error:
            raise output_error(error, self.folder) from error


def describe_entry(entry: Entry) -> str:
    """One line for people."""
    done = "accepted" if entry.action == "accept" else "taken back"
    why = f"; despite: {entry.despite}" if entry.despite else ""
    reads = f"; reads {entry.reader_of} by default" if entry.reader_of else ""
    who = f" by {entry.who}" if entry.who else ""
    return f"{entry.when_utc} {entry.system}: {entry.name} {entry.version} {done}{who}{reads}{why}"


def _hashes(pack: Path) -> tuple[str, ...]:
    """Of a pack's files; () of a damaged one: whoever needs that very pack is told when it is loaded."""
    try:
        return tuple(read_manifest(pack).files.values())
    except ModelError:
        return ()


def _last(entries: list[Entry] | tuple[Entry, ...], system: str) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.system == system), None)


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return ""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
