"""What sites write into MR descriptions: the contrast that a name means, and whether contrast agent was given.

Every pattern is ours; they are tried from the top on upper-case text with "_" as a blank, and the first one decides.
"""

from __future__ import annotations

import re

from .ct_vocabulary import contrast_said

ANY_DIFFUSION = "diffusion"
"""What a plain "DWI" means: the trace image to a radiologist, the raw images to others."""

_NAMES: tuple[tuple[str, str], ...] = (
    # what is no image of the brain's tissue, or an image computed from others
    ("LOCALIZER", r"LOCALI[SZ]ER|\bLOC\b|SCOUT|SURVEY|3 ?-?PLANE|\bPILOT\b|AAHEAD|AAHSCOUT|PLAN ?SCAN|REF\w* SCAN"),
    ("SPECTROSCOPY", r"SPECTRO|\bMRS\b|\bSVS\b|\bCSI\b|\bPRESS\b|\bSTEAM\b"),
    ("SBREF", r"SB ?REF\b|SINGLE[ -]BAND REF"),
    ("FIELDMAP", r"FIELD ?MAP|\bFMAP\b|GRE FIELD|\bB0 ?MAP|\bSHIM"),
    ("PROJECTION", r"\bM(AX)? ?IPS?\b|\bMIN ?IPS?\b|\bMNIP\b|COLLAPSE|\bVRT?\b|PROJECTION|\bRAD(IAL)?\b.*MIP"),
    ("PHASE", r"\bPHA(SE)?\b(?! ?CONTRAST| ?ENC| ?MULT)|\bPHASE IMAGES?"),
    ("DIFFUSION_MAP", r"\bE[ -]?ADC\b|EXP(ONENTIAL)?[ .-]*(ADC|APPARENT)"
     r"|\b(COL(OU?R)? ?)?FA\b|ANISOTROPY|TENSOR|\bDEC\b|IVIM"),
    ("ADC", r"ADC\b|APPARENT DIFF|AVERAGE DC\b|DIFFUSION COEFF"),
    ("PERFUSION_MAP", r"\bR?CBF\b|\bR?CBV\b|\bR?MTT\b|\bTTP\b|\bT ?MAX\b|\bPBP\b|\bREL(CBV|CBF|MTT)|\bK ?TRANS"),
    ("ASL", r"\b(P?C?ASL|PASL|3DASL)\b|SPIN LABEL"),
    ("PERFUSION", r"PERF(USION)?\b|\bDSC\b|\bDCE\b|\bPWI\b|DYNAMIC SUSC"),
    ("BOLD", r"\bR?S?[ -]?FMRI|\bBOLD\b|RESTING|REST ?(STATE|MRI)|\bTASK\b"),
    ("ANGIO", r"\bMRA\b|\bMRV\b|\bTOF\b|ANGIO|VENO(GRAM|GRAPHY)|\bPCA\b|PHASE CONTRAST|\bCE ?MRA|\bTWIST\b|\bTRICKS\b"),
    # diffusion, the numbers before the words
    ("B0", r"\bS?B ?=? ?0(00)?\b(?!.*\bB? ?=? ?[1-9]\d{2,3}\b)"),
    ("TRACE", r"TRACE ?W?\b|\bISO(TROPIC)? ?(DWI|DIFF|B)|\b[SI]?B ?=? ?([5-9]\d\d|[1-3]\d{3})\b(?!.*DIR)"
     r"|^S ?(AX|DWI)|\bEDWI\b"),
    ("DWI", r"\bDTI|DIR\d+|\d+ ?DIRS?\b|\bHARDI\b|\bDKI\b|\bQ-?BALL\b|\bDSI\b"),
    (ANY_DIFFUSION, r"DWI\b|DIFF(USION)?\b"),
    # T2* and susceptibility
    ("SWI", r"\bE?SWI\b|\bSWIP\b|\bSWAN\b|VEN ?BOLD|SUSC(EPTIBILITY)?|\bQSM\b|\bFSBB\b|\bBSI\b"),
    ("T2star", r"T2 ?(\*|STAR)|\bHEMO\b|\bHAEMO|\bGRE\b(?!.*T1)|\bFFE T2|T2 ?(W )?(FFE|GRE|FL2D|HEMO)|MEDIC|MERGE"),
    # inversion
    ("DIR", r"\bDIR\b(?! ?\d)|DOUBLE INV"),
    ("STIR", r"\bSTIR\b"),
    ("T1", r"T1.{0,6}FLAIR"),
    ("FLAIR", r"FLAIR|\bT2F\b|\bDARK[ -]?FLUID|DA-FL|\bTIRM\b"),
    # plain weightings
    ("SSFP", r"\bCISS\b|FIESTA|\bB-?FFE|TRUE? ?FISP|\bDRIVE\b"),
    ("MAP", r"T[12] ?MAP|\bR2\*?\b|RELAXOMETRY|SYMAPS|T-?MAP\b"),
    ("T1", r"\bT1|T1[WNC]\b|MP ?-?RAGE|BRAVO|\bSPGR\b|\bTFE\b(?!.*T2)|\bMP2RAGE\b|\bVIBE\b|\bIR ?SPGR"),
    ("PD", r"\bPD\b|\bPDW?\b|PROTON"),
    ("T2", r"\bT2|T2W|\bHASTE\b|\bSSFSE\b"),
)  # fmt: skip
_COMPILED = tuple((contrast, re.compile(pattern)) for contrast, pattern in _NAMES)

_AFTER_AGENT = re.compile(
    r"\bPOST\b(?! ?(FOSSA|OP|SURG|TX|RX|TREAT|PROC))|\bGD\b|\bGAD(O|OLINIUM|AVIST|OVIST)?\b|\bGDTPA|\+ ?(C|GD|KM|GAD)\b"
    r"|\bC\+|\bCE\b|\bKM\b|\bT1 ?(C|CE|GD)\b|DOTAREM|MAGNEVIST|\bINJ\b|\bENH(ANCED)?\b|\bW ?CON"
)
_BEFORE_AGENT = re.compile(r"\bPRE\b|\bNATIVE?\b|\bPLAIN\b|\bNON[ -]?(CON|ENH|GD|CE)|\bW/?O\b|\bWITHOUT\b|\bC-(?!\w)")


def contrast_named(text: str) -> str:
    """The contrast that a description means (a key of CONTRASTS, or ANY_DIFFUSION), "" when it says nothing known."""
    plain = _normal(text)
    return next((contrast for contrast, pattern in _COMPILED if pattern.search(plain)), "") if plain else ""


def agent_said(text: str) -> str:
    """What a series' own description says of contrast agent: "with", "without" or "unknown"."""
    plain = _normal(text)
    if _BEFORE_AGENT.search(plain):
        return "without"
    if _AFTER_AGENT.search(plain):
        return "with"
    said = contrast_said(plain)
    return said if said in ("with", "without") else "unknown"


def study_has_both(text: str) -> bool:
    """True when a study's description says that images were made before and after contrast agent."""
    plain = _normal(text)
    return contrast_said(plain) == "both" or bool(re.search(r"\bW ?/? ?(AND|&)? ?/?W ?/?O\b|\bW ?/? ?WO\b", plain))


def _normal(text: str) -> str:
    """Upper case, underscores and repeated blanks as one blank."""
    return " ".join(text.upper().replace("_", " ").split())
