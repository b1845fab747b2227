"""Names to systems and model packs. Asking what there is never imports torch; loading a system does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .core.codes import ANY, CT_HEMORRHAGE_CODES, FINDING_CODES, MR_CODES
from .core.errors import ConfigError, ModelError
from .core.resources import models_folder
from .io.model_packs import ModelPack, PackManifest, load_model_pack, read_manifest
from .model_registry import ModelRegistry, describe_entry
from .systems.chang2018_config import CODES as CHANG2018_CODES

if TYPE_CHECKING:
    from .inference.device import ComputeDevice
    from .systems.consensus import ConsensusSystem
    from .systems.consensus_config import ConsensusMember


@dataclass(frozen=True)
class SystemEntry:
    """One system that can be loaded.

    Args:
        name: catalog key.
        title: for people.
        paper: where it was published.
        modality: DICOM modality that it reads.
        codes: what it answers, of hemorrhage on CT "any" first.
        default_pack: name of the pack that ships and is used unless another is named.
        load: (pack, device) -> system; imports torch when called.
    """

    name: str
    title: str
    paper: str
    modality: str
    codes: tuple[str, ...]
    default_pack: str
    load: Callable[[ModelPack, ComputeDevice], Any]


def _from_pack(module: str, system: str) -> Callable[[ModelPack, ComputeDevice], Any]:
    """(pack, device) -> system: imports the system's module, and torch with it, only when it is called."""

    def load(pack: ModelPack, device: ComputeDevice) -> Any:
        return getattr(import_module(f".systems.{module}", __package__), system).from_pack(pack, device)

    return load


def _load_consensus(pack: ModelPack, device: ComputeDevice) -> ConsensusSystem:
    from .systems.consensus import ConsensusSystem, consensus_config

    config = consensus_config(pack)
    paths = [_member_pack(member, pack.path.parent) for member in config.members]
    members = []
    for member, path in zip(config.members, paths, strict=True):
        loaded = load_model_pack(path)
        if loaded.identity.sha256 != member.sha256:
            raise ModelError(
                f"The consensus was fitted with other weights of {member.pack}.",
                where=str(path),
                next_step="Use the pack that it was fitted with, or fit it again: neurotriage train consensus.",
            )
        members.append(_entry(member.system).load(loaded, device))
    return ConsensusSystem.from_pack(pack, members)


def _member_pack(member: ConsensusMember, beside: Path) -> Path:
    """A member's pack: beside the consensus pack, among those that ship, or among those that were accepted here.

    Of several of that name it is the one with the weights that the consensus was fitted with. A model that was accepted
    for the member's system does not take its place: the consensus was not fitted with it.
    """
    named = [beside / member.pack, beside / f"{member.pack}.zip", models_folder() / member.pack]
    paths = [path for path in (*named, ModelRegistry().find(member.sha256)) if path is not None and path.exists()]
    if not paths:
        raise ModelError(
            f"The consensus needs the model pack {member.pack} of {member.system}, which is not here.",
            where=str(beside / member.pack),
            next_step="Put it beside the pack of the consensus, or name one system with --system.",
        )
    fitted = (path for path in paths if member.sha256 in read_manifest(path).files.values())
    return next(fitted, paths[0])


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
            load=_from_pack("kuo2019", "Kuo2019System"),
        ),
        SystemEntry(
            name="chang2018",
            title="Hybrid 3D/2D mask R-CNN: hemorrhage on head CT as boxes with type, confidence and mask",
            paper="Chang et al., AJNR 2018, doi:10.3174/ajnr.A5742",
            modality="CT",
            codes=(ANY, *CHANG2018_CODES),
            default_pack="chang2018-compact",
            load=_from_pack("chang2018", "Chang2018System"),
        ),
        SystemEntry(
            name="ye2019",
            title="CNN-RNN: hemorrhage and its types on head CT, slice by slice, with a heatmap",
            paper="Ye et al., Eur Radiol 2019, doi:10.1007/s00330-019-06163-2",
            modality="CT",
            codes=(ANY, *CT_HEMORRHAGE_CODES),
            default_pack="ye2019-compact",
            load=_from_pack("ye2019", "Ye2019System"),
        ),
        SystemEntry(
            name="consensus",
            title="One answer from the systems above, with their opinions and their disagreement",
            paper="NeuroTriage; logarithmic opinion pool, Genest and Zidek, Stat Sci 1986, doi:10.1214/ss/1177013825",
            modality="CT",
            codes=(ANY, *CT_HEMORRHAGE_CODES),
            default_pack="consensus-compact",
            load=_load_consensus,
        ),
        SystemEntry(
            name="nael2021",
            title="LFE and classifier: abnormal, acute infarct, acute hemorrhage, mass effect on brain MRI",
            paper="Nael et al., Sci Rep 2021, doi:10.1038/s41598-021-86022-7",
            modality="MR",
            codes=MR_CODES,
            default_pack="nael2021-compact",
            load=_from_pack("nael2021", "Nael2021System"),
        ),
    )
}

MR_SYSTEM = "nael2021"
"""Reads brain MRI unless another system is named."""
CONSENSUS = "consensus"
RUNTIME_PACKAGES = ("torch", "safetensors")
"""Python packages that a system needs beyond those that Slicer ships (NeuroTriage/Resources/requirements.txt)."""
LONE_SYSTEM = "kuo2019"
"""Reads when no pack of the consensus is installed: the one that finds, types and outlines."""


def systems() -> tuple[SystemEntry, ...]:
    """Every system, in the order in which they are listed to a user."""
    return tuple(_SYSTEMS.values())


def default_system() -> str:
    """The system that reads head CT unless one is named.

    The one that an accepted model made the reader; else the consensus once its pack is installed. An accepted model of
    a single system takes the place of the consensus, which was fitted with other weights and would not use it.
    """
    chosen = ModelRegistry().reader_of("CT")
    if chosen is not None:
        return chosen
    return CONSENSUS if (models_folder() / _SYSTEMS[CONSENSUS].default_pack).is_dir() else LONE_SYSTEM


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


def modality_of(system: str) -> str:
    """What a system reads, "CT" or "MR". Raises ModelError for one that this version does not know."""
    for entry in systems():
        if entry.name == system:
            return entry.modality
    raise ModelError(f"The model pack was made for {system}, which this version does not know.")


def find_pack(system: str, pack: Path | str | None = None) -> Path:
    """The pack to use: the one named (a path, or the name of one that ships or was accepted), else the system's own.

    The system's own is the last model that was accepted for it on this computer, else the one that ships.

    Raises ConfigError for an unknown system, ModelError when there is no such pack.
    """
    entry = _entry(system)
    registry = ModelRegistry()
    if pack is None:
        accepted = registry.current(system)
        if accepted is not None:
            return registry.pack_path(accepted)
        path = models_folder() / entry.default_pack
        if not path.is_dir():
            kind = "head CT" if entry.modality == "CT" else "brain MRI"
            raise ModelError(
                f"There is no model for {kind}: the model pack of {system} is not installed.",
                where=str(path),
                next_step=f"Name one with --model, or make one: neurotriage train {system}.",
            )
        return path
    if Path(pack).exists():
        return Path(pack)
    shipped = models_folder() / Path(pack).name
    if str(pack) == shipped.name and shipped.is_dir():
        return shipped
    kept = registry.find(Path(pack).name)
    if kept is not None and str(pack) == kept.name:
        return kept
    raise ModelError(
        "The model pack does not exist.",
        where=str(pack),
        next_step=f"Name a folder, a zip, or one of: {', '.join(shipped_packs(system)) or 'none ships'}.",
    )


def load_system(
    name: str | None = None,
    *,
    pack: Path | str | None = None,
    device: str = "auto",
    heatmap: str | None = None,
    accept_unfamiliar: bool = False,
    thresholds: Mapping[str, float] | None = None,
) -> Any:
    """A system with its weights on a device, ready to read.

    Args:
        name: catalog key; None is the system that the pack was made for, and without a pack the default one.
        pack: path, or the name of one that ships; None is the system's default.
        device: "auto", "cpu" or "cuda".
        heatmap: whose heatmap the consensus shows, "mean" or one of its systems.
        accept_unfamiliar: the consensus answers also an exam that is unlike those that it learned from.
        thresholds: code -> operating point 0-1 in place of the pack's own.

    Raises:
        ConfigError: unknown system, a device that is not there, a choice that the system does not have, a threshold
            of a finding that it does not answer.
        ModelError: the pack is missing, damaged or made for something else.
    """
    name, path = pack_in_use(name, pack)
    entry = _entry(name)
    if (heatmap or accept_unfamiliar) and name != CONSENSUS:
        raise ConfigError("Only the consensus has a choice of heatmaps and a check of familiarity.", where=name)
    loaded = load_model_pack(path).with_operating_points(thresholds or {})
    from .inference.device import choose_device

    system = entry.load(loaded, choose_device(device))
    if heatmap or accept_unfamiliar:
        system = system.with_choices(heatmap, accept_unfamiliar)
    return system


def pack_in_use(name: str | None, pack: Path | str | None = None) -> tuple[str, Path]:
    """The system and the pack that load_system would take now. Raises as load_system."""
    if name is None:
        name = default_system() if pack is None else _system_of(find_pack(default_system(), pack))
    return name, find_pack(name, pack)


def modality_read(name: str | None, pack: Path | str | None) -> str | None:
    """ "CT" or "MR": what a named system or pack reads; None when neither is named. Raises as load_system."""
    if name is None and pack is None:
        return None
    return _entry(_system_of(find_pack(default_system(), pack)) if name is None else name).modality


def describe() -> dict[str, Any]:
    """What is here, as plain values for JSON: version, systems, what they answer, their packs."""
    return {
        "version": __version__,
        "default_system": default_system(),
        "systems": [
            {
                "name": entry.name,
                "title": entry.title,
                "paper": entry.paper,
                "modality": entry.modality,
                "codes": {code: FINDING_CODES[code].name for code in entry.codes},
                "default_pack": entry.default_pack,
                "in_use": _in_use(entry.name),
                "packs": [_summary(read_manifest(path), path) for path in shipped_packs(entry.name).values()],
            }
            for entry in systems()
        ],
    }


def _in_use(system: str) -> dict[str, Any] | None:
    """The model that a system reads with now, and since when if it was accepted here; None without one."""
    registry = ModelRegistry()
    accepted = registry.current(system)
    try:
        manifest = read_manifest(find_pack(system))
    except ModelError:
        return None
    said = {"name": manifest.name, "version": manifest.version, "path": str(find_pack(system))}
    return said | {"accepted": "" if accepted is None else describe_entry(accepted)}


def describe_computer() -> dict[str, Any]:
    """What systems can run on here, as plain values for JSON: missing packages, devices by name; imports torch.

    "devices" maps "cpu" and, where there is one, "cuda" to the device's name.
    """
    missing = [name for name in RUNTIME_PACKAGES if find_spec(name) is None]
    if missing:
        return {"missing_packages": missing, "devices": {}}
    from .inference.device import choose_device

    devices = {"cpu": "CPU"}
    best = choose_device("auto").name
    if best != "cpu":
        devices["cuda"] = best.removeprefix("cuda: ")
    return {"missing_packages": [], "devices": devices}


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


def _system_of(pack: Path) -> str:
    """Catalog key of the system that a pack was made for. Raises ModelError when it is none of ours."""
    system = read_manifest(pack).system
    if system not in _SYSTEMS:
        raise ModelError(
            f"The model pack was made for {system}, which this version does not know.",
            where=str(pack),
            next_step="Choose another pack, or a newer version of NeuroTriage.",
        )
    return system


def _entry(system: str) -> SystemEntry:
    if system not in _SYSTEMS:
        raise ConfigError("There is no such system.", where=system, next_step=f"Choose one of: {', '.join(_SYSTEMS)}.")
    return _SYSTEMS[system]
