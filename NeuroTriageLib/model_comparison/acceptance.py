"""Accepting a compared model: what is asked before, and what the user is told about what reads from now on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..catalog import CONSENSUS, default_system, find_pack, modality_of
from ..core.codes import ANY
from ..core.errors import ConfigError, ModelError
from ..io.model_packs import PackManifest, load_model_pack, pack_digest, read_manifest
from ..model_registry import Acceptance, Entry, ModelRegistry

ReaderChoice = Literal["auto", "yes", "no"]


def accept_model(
    registry: ModelRegistry,
    path: Path | str,
    *,
    reader: ReaderChoice = "auto",
    despite: str = "",
    who: str | None = None,
) -> tuple[Entry, tuple[str, ...]]:
    """Use a model from now on; returns the entry and what to tell the user.

    Args:
        registry: of this computer.
        path: the pack, or the name of one that ships or was accepted before.
        reader: whether its system becomes the one that reads by default. "auto": when the comparison held the present
            default reader and that was not better with certainty.
        despite: why, when it was not compared with the present model or the comparison advises against it.
        who: account's name; the present one unless named.

    Raises:
        ConfigError: not compared, or advised against, and no reason given; or it is in use already.
    """
    named = Path(path) if Path(path).exists() else find_pack(default_system(), path)
    pack = load_model_pack(named)
    system, digest = pack.manifest.system, pack_digest(pack.manifest)
    modality = modality_of(system)
    before = present_manifest(system)
    if before is not None and pack_digest(before) == digest:
        raise ConfigError("This model is in use already.", where=pack.manifest.name)
    comparison = None if before is None else registry.comparison(digest, pack_digest(before))
    _check(pack.manifest, comparison, despite)
    was = default_system() if modality == "CT" else system
    reads, why = _becomes_reader(system, modality, comparison, reader)
    choice = Acceptance(modality if reads else "", despite, **({} if who is None else {"who": who}))
    entry = registry.accept(pack, choice, None if comparison is None else without_exams(comparison))
    return entry, (f"{system} reads with {entry.name} {entry.version} from now on.", *_told(entry, was, why))


def present_manifest(system: str) -> PackManifest | None:
    """pack.json of the model that a system reads with now; None when there is none."""
    try:
        return read_manifest(find_pack(system))
    except ModelError:
        return None


def without_exams(comparison: dict[str, Any]) -> dict[str, Any]:
    """The figures of a kept comparison, as the history keeps them."""
    return {key: value for key, value in comparison.items() if key not in ("exams", "left_out")}


def _check(manifest: PackManifest, comparison: dict[str, Any] | None, despite: str) -> None:
    if despite.strip():
        return
    if comparison is None:
        raise ConfigError(
            "The model was not compared with the one that is in use.",
            where=manifest.name,
            next_step="Compare them: neurotriage models compare; or say why not with --despite.",
        )
    if comparison["advice"] == "keep":
        raise ConfigError(
            f"The comparison advises against it. {' '.join(comparison['verdict'])}",
            where=manifest.name,
            next_step="To use it all the same, say why with --despite.",
        )


def _becomes_reader(
    system: str, modality: str, comparison: dict[str, Any] | None, choice: ReaderChoice
) -> tuple[bool, str]:
    """Whether the system reads by default from now on, and why not."""
    if modality != "CT" or choice == "no":
        return False, "as you chose" if choice == "no" else ""
    if choice == "yes" or default_system() == system:
        return True, ""
    beside = (comparison or {}).get("beside_present_reader") or {}
    figures = [figure for found in beside.values() for figure in found if figure["code"] == ANY]
    if not figures:
        return False, "the comparison did not hold it"
    return (False, "it was better in the comparison") if any(map(_lost, figures)) else (True, "")


def _lost(figure: dict[str, Any]) -> bool:
    """True when the new model is worse with certainty."""
    low, high = figure["difference"]["low"], figure["difference"]["high"]
    if low is None or high is None:
        return False
    return bool(low > 0 if figure["figure"].startswith("error") else high < 0)


def _told(entry: Entry, was: str, why: str) -> tuple[str, ...]:
    back = "To go back: neurotriage models back."
    if was == entry.system:
        return (back,)
    refit = (
        "A consensus never takes a model that it was not fitted with. To fit it anew: neurotriage train consensus "
        "--packs (the new model and the others), then compare and accept its pack."
    )
    if entry.reader_of:
        lost = " It does not ask whether an exam is like those that it learned from." if was == CONSENSUS else ""
        return (
            f"{entry.system} reads head CT by default, in place of {was}, which keeps its own models "
            f"(--system {was}).{lost}",
            refit,
            back,
        )
    told = f"{was} goes on reading by default, with the models that it was fitted with ({why})."
    return (f"{told} Name the new model with --system {entry.system}.", refit, back) if why else (back,)
