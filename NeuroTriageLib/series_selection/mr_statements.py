"""What a header says of the contrast in words of its own: image type, enhanced MR's attributes, names of sequences."""

from __future__ import annotations

import re

from .mr_contrasts import Verdict
from .mr_facts import MrFacts

# Words of ImageType that name a computed map (vendors' conformance statements; Philips splits "ADC_UNSPECIFIED").
_MAP_TYPES = (
    ("DIFFUSION_MAP", {"EADC", "EXPADC", "EXP", "FA", "COLFA", "TENSOR", "RA", "VR", "AX_DIFF", "RAD_DIFF"}),
    ("ADC", {"ADC", "DIFFMAP", "AVERAGE DC"}),
    ("PERFUSION_MAP", {"CBF", "CBV", "RCBF", "RCBV", "RELCBF", "RELCBV", "MTT", "RELMTT", "TTP", "TMAX", "PBP"}),
    ("MAP", {"T1 MAP", "T2 MAP", "T2_STAR MAP", "T1MAP", "T2MAP", "R2 MAP", "R2STAR", "T-MAP", "T MAP", "TMAP", "SPM"}),
    ("FIELDMAP", {"FIELD MAP", "FIELDMAP", "B0 MAP", "B1 MAP", "B0MAP"}),
)
_PROJECTION_TYPES = {"MIP", "MINIP", "MNIP", "MAX IP", "MIN IP", "MAXIP", "CSA MIP", "VRT", "VOLUME RENDERING", "PJN"}
_PHASE_TYPES = {"P", "PHASE", "PHASE MAP", "PHASEMAP"}
_ANGIO_TYPES = {"PCA", "TOF", "VELOCITY", "VELOCITY MAP", "FLOW_ENCODED", "PC"}
_NOT_IMAGES = {"SR", "KO", "PR", "DOC", "REG", "SEG", "RTSTRUCT", "OT", "SC"}

# Names of Siemens sequences (SequenceName without its star): what stands before dimension and factors. The names are
# those of the product sequences; "tfl" is MPRAGE, "tir" turbo inversion recovery, "spc" SPACE, "fi" time of flight.
_SIEMENS_NAMES = (
    (r"EPFID", "BOLD", 0.9, ("T2star", "PERFUSION", "SBREF", "ASL", "FIELDMAP")),
    (r"EPSE", "SBREF", 0.85, ("FIELDMAP", "B0", "BOLD", "DWI")),
    (r"SWI|QSWI", "SWI", 0.97, ()),
    (r"TFL(_|\d|$)", "T1", 0.9, ("LOCALIZER",)),
    (r"TGSE|PASL|PCASL|.*ASL", "ASL", 0.9, ()),
    (r"FM2D|FM3D|FM_", "FIELDMAP", 0.95, ()),
    (r"FI[23]D|TOF", "ANGIO", 0.85, ("T1", "LOCALIZER")),
    (r"CI3D|TFI|FI_?SP|TRUFI", "SSFP", 0.85, ("LOCALIZER",)),
    (r"FLC|PC[23]D|FL\dD\d?_?V|FQ", "ANGIO", 0.85, ()),
    (r"SVS|CSI|FID_", "SPECTROSCOPY", 0.9, ()),
)
# Philips' scanning technique (2001,1020), GE's and Canon's pulse sequence names.
_PULSE_NAMES = (
    (r"\bSWAN\b|SWIP|\bFSBB", "SWI", 0.95, ()),
    (r"3DASL|\bP?CASL", "ASL", 0.95, ()),
    (r"\bTOF\b|VASCTOF|INHANCE", "ANGIO", 0.9, ()),
    (r"\bPRESS|PROBE|SVS_|\bCSI\b", "SPECTROSCOPY", 0.9, ()),
)
_ACQUISITIONS = {  # AcquisitionContrast of enhanced MR (PS3.3 C.8.13.3.1.2)
    "FLUID_ATTENUATED": "FLAIR",
    "T1": "T1",
    "T2": "T2",
    "T2_STAR": "T2star",
    "PROTON_DENSITY": "PD",
    "STIR": "STIR",
    "TOF": "ANGIO",
    "FLOW_ENCODED": "ANGIO",
    "PERFUSION": "PERFUSION",
}


def not_mr(facts: MrFacts) -> Verdict | None:
    """Another modality."""
    if facts.modality in ("MR", ""):
        return None
    kind = "a document or derived object" if facts.modality in _NOT_IMAGES else "not MR"
    return Verdict("NOT_MR", 1.0, f"Its modality is {facts.modality}: {kind}.")


def localizer(facts: MrFacts) -> Verdict | None:
    """The image type says localiser."""
    if "LOCALIZER" in facts.image_types:
        return Verdict("LOCALIZER", 0.98, "ImageType says localiser.")
    return None


def computed_map(facts: MrFacts) -> Verdict | None:
    """The image type names a map."""
    for contrast, words in _MAP_TYPES:
        if found := sorted(words & facts.image_types):
            return Verdict(contrast, 0.98, f"ImageType says {found[0]}.", ())
    return None


def spectroscopy(facts: MrFacts) -> Verdict | None:
    """Spectra."""
    if "SPECTROSCOPY" in facts.image_types:
        return Verdict("SPECTROSCOPY", 0.98, "ImageType says spectroscopy.")
    return None


def phase_image(facts: MrFacts) -> Verdict | None:
    """Phase, not magnitude."""
    if facts.image_types & _PHASE_TYPES and not facts.image_types & {"M", "MAGNITUDE"}:
        return Verdict("PHASE", 0.96, "ImageType says that it shows the phase of the signal.")
    return None


def projection(facts: MrFacts) -> Verdict | None:
    """Projections of gradient echoes; thin reformats of spin echoes keep their contrast under the same word."""
    found = facts.image_types & _PROJECTION_TYPES
    if found and "IR" not in facts.sequences and "SE" not in facts.sequences:
        return Verdict("PROJECTION", 0.95, f"ImageType says {min(found)}: a projection over slices.")
    return None


def angiography(facts: MrFacts) -> Verdict | None:
    """The image type or the angiography flag says so."""
    if found := facts.image_types & _ANGIO_TYPES:
        return Verdict("ANGIO", 0.95, f"ImageType says {min(found)}: angiography.")
    if facts.angio:
        return Verdict("ANGIO", 0.9, "The header's angiography flag is set.")
    return None


def perfusion_type(facts: MrFacts) -> Verdict | None:
    """The image type says perfusion or labelling."""
    if "ASL" in facts.image_types:
        return Verdict("ASL", 0.96, "ImageType says arterial spin labelling.")
    if "PERFUSION" in facts.image_types:
        return Verdict("PERFUSION", 0.9, "ImageType says perfusion.", ("ASL", "PERFUSION_MAP"))
    return None


def single_band(facts: MrFacts) -> Verdict | None:
    """The reference image of a multi-band series."""
    return Verdict("SBREF", 0.97, "The header says single-band reference.") if facts.single_band else None


def susceptibility_type(facts: MrFacts) -> Verdict | None:
    """The image type says susceptibility-weighted."""
    if facts.image_types & {"SWI", "SWAN", "SWIP"}:
        return Verdict("SWI", 0.97, "ImageType says SWI.")
    return None


def named_sequence(facts: MrFacts) -> Verdict | None:
    """A name of the vendor's own sequence."""
    if facts.sequence_name and facts.vendor in ("Siemens", ""):
        for pattern, contrast, confidence, others in _SIEMENS_NAMES:
            if re.match(pattern, facts.sequence_name):
                return _named(facts, Verdict(contrast, confidence, f"Sequence {facts.sequence_name.lower()}.", others))
    for pattern, contrast, confidence, others in _PULSE_NAMES:
        text = f"{facts.sequence_name} {facts.pulse_sequence} {' '.join(facts.options)}"
        if found := re.search(pattern, text):
            return Verdict(contrast, confidence, f"The pulse sequence is called {found[0].lower()}.", others)
    return None


def _named(facts: MrFacts, verdict: Verdict) -> Verdict:
    """A gradient-echo EPI is functional only as a series; one volume of it is a T2*-weighted image."""
    if verdict.contrast != "BOLD":
        return verdict
    if facts.volumes == 1 and not facts.mosaic:
        reason = f"{verdict.reason[:-1]}: one volume of gradient-echo EPI."
        return Verdict("T2star", 0.75, reason, ("BOLD", "SBREF", "PERFUSION"))
    if facts.agent:
        return Verdict("PERFUSION", 0.8, f"{verdict.reason} Contrast agent was given.", ("BOLD", "T2star"))
    return verdict


def acquisition_contrast(facts: MrFacts) -> Verdict | None:
    """Enhanced MR's own statement of the contrast (not diffusion, which needs its b-value)."""
    contrast = _ACQUISITIONS.get(facts.acquisition)
    return Verdict(contrast, 0.95, f"AcquisitionContrast says {facts.acquisition}.") if contrast else None
