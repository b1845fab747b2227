"""Names to systems and model packs. Asking what there is never imports torch; loading a system does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .core.codes import ANY, CT_HEMORRHAGE_CODES, FINDING_CODES
from .core.errors import ConfigError, ModelError
from .core.resources import models_folder
from .io.model_packs import ModelPack, PackManifest, load_model_pack, read_manifest

if TYPE_CHECKING:
    from .inference.device import ComputeDevice
    from .systems.kuo2019 import Kuo2019System


@dataclass(frozen=True)
class SystemEntry:
    """One system that can be loaded.

    Args:
        name: catalog key.
        title: for people.
        paper: where it was published.
        modality: DICOM modality that it reads.
        codes: what it answers, "any" first.
        default_pack: name of the pack that ships and is used unless another is named.
        load: (pack, device) -> system; imports torch when called.
    """

    name: str
    title: str
    paper: str
    modality: str
    codes: tuple[str, ...]
    default_pack: str
    load: Callable[[ModelPack, ComputeDevice], Kuo2019System]


def _load_kuo2019(pack: ModelPack, device: ComputeDevice) -> Kuo2019System:
    from .systems.kuo2019 import Kuo2019System

    return Kuo2019System.from_pack(pack, device)


_SYSTEMS = {
    entry.name: entry
    for entry in (
        SystemEntry(
            name="kuo2019",
            title="PatchFCN: hemorrhage on head CT, voxel by voxel",
            paper="Kuo et al., PNAS 2019, doi:10.1073/pnas.1908021116",
            modality="CT",
            codes=(ANY, *CT_HEMORRHAGE_CODES),
            default_pack="kuo2019-compact",
            load=_load_kuo2019,
        ),
    )
}


def systems() -> tuple[SystemEntry, ...]:
    """Every system, in the order in which they are listed to a user."""
    return tuple(_SYSTEMS.values())


def shipped_packs(system: str) -> dict[str, Path]:
    """Pack name -> folder, of the packs in Resources/Models that were made for the system; damaged ones left out."""
    folder = models_folder()
    packs = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            if read_manifest(path).system == system:
                packs[path.name] = path
        except ModelError:
            continue  # not a pack, or a damaged one: naming it with --model gives the reason
    return packs


def find_pack(system: str, pack: Path | str | None = None) -> Path:
    """The pack to use: the one named (a path, or the name of one that ships), else the system's default.

    Raises ConfigError for an unknown system, ModelError when there is no such pack.
    """
    entry = _entry(system)
    if pack is None:
        path = models_folder() / entry.default_pack
        if not path.is_dir():
            raise ModelError(
                f"The model pack of {system} is not installed.", where=str(path), next_step="Name one with --model."
            )
        return path
    if Path(pack).exists():
        return Path(pack)
    shipped = models_folder() / Path(pack).name
    if str(pack) == shipped.name and shipped.is_dir():
        return shipped
    raise ModelError(
        "The model pack does not exist.",
        where=str(pack),
        next_step=f"Name a folder, a zip, or one of: {', '.join(shipped_packs(system)) or 'none ships'}.",
    )


def load_system(name: str, *, pack: Path | str | None = None, device: str = "auto") -> Kuo2019System:
    """A system with its weights on a device, ready to read.

    Raises:
        ConfigError: unknown system, or a device that is not there.
        ModelError: the pack is missing, damaged or made for something else.
    """
    entry = _entry(name)
    loaded = load_model_pack(find_pack(name, pack))
    from .inference.device import choose_device

    return entry.load(loaded, choose_device(device))


def describe() -> dict[str, Any]:
    """What is here, as plain values for JSON: version, systems, what they answer, their packs."""
    return {
        "version": __version__,
        "systems": [
            {
                "name": entry.name,
                "title": entry.title,
                "paper": entry.paper,
                "modality": entry.modality,
                "codes": {code: FINDING_CODES[code].name for code in entry.codes},
                "default_pack": entry.default_pack,
                "packs": [_summary(read_manifest(path), path) for path in shipped_packs(entry.name).values()],
            }
            for entry in systems()
        ],
    }


def describe_pack(path: Path | str) -> dict[str, Any]:
    """Everything that one pack says of itself, its files checked. Raises ModelError."""
    pack = load_model_pack(path)
    return {"path": str(pack.path), **pack.manifest.to_json()}


def _summary(manifest: PackManifest, path: Path) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "path": str(path),
        "codes": list(manifest.codes),
        "operating_points": manifest.operating_points,
        "licence": manifest.licence,
        "intended_use": manifest.intended_use,
        "files": manifest.files,
    }


def _entry(system: str) -> SystemEntry:
    if system not in _SYSTEMS:
        raise ConfigError("There is no such system.", where=system, next_step=f"Choose one of: {', '.join(_SYSTEMS)}.")
    return _SYSTEMS[system]
