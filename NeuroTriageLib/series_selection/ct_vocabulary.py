"""What sites and vendors write into CT headers: soft or sharp kernel, with or without contrast, which body part.

Every pattern is ours unless a source stands beside it; they are tried on upper-case text.
"""

from __future__ import annotations

import re
from typing import Literal

Sharpness = Literal["soft", "sharp", "unknown"]
Contrast = Literal["with", "without", "both", "unknown"]
BodyPart = Literal["head", "other", "both", "unknown"]

SIEMENS_SHARP_FROM = 60
"""Siemens numbers grow with sharpness: 10-49 smooth to medium, 50-59 sharp, 60 and above for bone and inner ear
(SOMATOM operating instructions: H10-H48 for the brain, H60s for bone, U70u-U90u for high-resolution bone)."""

# (vendor, pattern of the whole kernel name, sharpness), tried from the top; vendor "" stands for any vendor.
_KERNELS: tuple[tuple[str, str, Sharpness], ...] = (
    # GE HealthCare: filter names of the reconstruction menu.
    ("GE", r"BONE.*|EDGE.*|LUNG.*|ULTRA.*|HD ?(BONE|EDGE|LUNG|ULTRA).*", "sharp"),
    ("GE", r"ST(AN)?D(ARD)?\+?.*|SOFT.*|BRAIN.*|HD ?(STD|STAND|SOFT).*|CHST.*", "soft"),
    # Canon / Toshiba FC numbers: 1-29 and 41-49, 60-69 body and brain, 30-39 and 80-89 bone and ear, 50-59 lung.
    ("TOSHIBA|CANON", r"FC0*(3\d|5\d|8\d).*|FL0*(5\d).*", "sharp"),
    ("TOSHIBA|CANON", r"FC0*(\d|1\d|2\d|4\d|6\d)(-.*|[A-Z].*)?|FL0*\d{1,2}.*", "soft"),
    # Philips: A, B, C smooth; UA, UB, UC for the brain; D, E, L and the Y filters for bone, ear and lung.
    ("PHILIPS", r"U[ABC]|[ABC]|SMOOTH|STANDARD|BRAIN.*|SB|B\(?.*SOFT.*", "soft"),
    ("PHILIPS", r"[DEFLG]|EC|Y[A-E]?|DETAIL|SHARP|BONE.*|LUNG.*", "sharp"),
    ("", r".*(BONE|LUNG|EDGE|SHARP|KNOCHEN|HUESO).*", "sharp"),
    ("", r".*(SOFT|BRAIN|STANDARD|SMOOTH).*", "soft"),
)
_SIEMENS_KERNEL = re.compile(r"[A-Z][A-Z]?(\d\d)[A-Z]*(_?\\?\d)?", re.IGNORECASE)

_BONE_WORDS = re.compile(r"\b(BONES?( ALGO\w*| WINDOW| PLUS)?|KNOCHEN|HUESO|OSSEUX|OSSO|BONEPLUS)\b")
_FACIAL_BONE = re.compile(r"(FACIAL|TEMPORAL|FACE|NASAL) BONES?")

_NO_CONTRAST = re.compile(
    r"\b(W ?/ ?O|WO|WITHOUT|OHNE|SANS|SENZA)\b[ .-]*(THE |IV )?(CON\w*|CE\b|ENH\w*|KM\b|INJ\w*|CIV\b|C\b|KONTR\w*)?"
    r"|\b(NO|NON|SIN|UN)[ .-]*(IV )?(CON(TR\w*)?\b|CE\b|ENH\w*|KM\b|INJ\w*|CIV\b|C\b)"
    r"|\bN(C|E)CTH?\b|\bNATIVE?\b|\bPLAIN\b|\bPRE[ -]?CON\w*|(?<!\w)C-(?!\w)|(?<!\w)-C\b|\bSPC\b|(?<!\w)IV-(?!\w)"
)
_CONTRAST = re.compile(
    r"\bW(ITH)?\b ?/?[ _.]*((IV|THE|AND|&|\+)[ _.]*)?(CON\w*|CE\b|C\b|KM\b|&|AND\b|\+|$)|\bW ?/(?=$| ?(W\b|CON|IV|C\b))"
    r"|CONTRAST|\bCONTR\b|\+ ?C(?!\w)|(?<!\w)C\+|\bCE(CT)?\b|\bCTA\b|\bCTV\b|\bCTP\b|ANGIO|PERFUSION|\bPERF\b"
    r"|ARTERIAL|VENOUS|\bPOST[ -]?(CON\w*|KM|C|INJ\w*|IV)\b|\b(MIT|NACH|M\.) ?KM\b|\bAVEC INJ|(?<!\w)IV\+"
    r"|\bBOLUS|MONITORING|\bVNC\b|VIRTUAL|IODINE"
)
_HEAD = re.compile(
    r"HEAD|BRAIN|SKULL|CEREB|CRAN|NEURO|KOPF|SCH(AE|Ä)DEL|\bT[EÊ]TE\b|CABEZA|ENCEPH|HIRN|\bCCT\b|STROKE|\bNCCTH\b"
)
_OTHER_PART = re.compile(
    r"NECK|C[ -]?SPINE|CERVICAL|SPINE|SPINAL|CHEST|THORA|LUNG|ABD|PELV|LUMB|SINUS|ORBIT|\bFACE\b|FACIAL|MAXILL|MANDIB"
    r"|DENTAL|TEMPORAL BONE|\bIACS?\b|PETROUS|MASTOID|\bEARS?\b|KNEE|\bHIPS?\b|SHOULDER|ANKLE|\bFOOT\b|\bHAND\b|WRIST"
    r"|ELBOW|CARDIAC|HEART|CORONARY|AORT|LIVER|\bHALS\b|WIRBEL|BECKEN|EXTREM|WHOLE ?BODY|CAROTID|\bNNH\b|\bHWS\b"
)


def kernel_sharpness(manufacturer: str, kernel: str) -> Sharpness:
    """Whether a reconstruction kernel shows soft tissue or bone; "unknown" when the name says neither."""
    name, vendor = " ".join(kernel.upper().split()), manufacturer.upper()
    number = _SIEMENS_KERNEL.match(name)
    if number and ("SIEMENS" in vendor or not vendor) and not name.startswith("FC"):
        return "sharp" if int(number.group(1)) >= SIEMENS_SHARP_FROM else "soft"
    for who, pattern, sharpness in _KERNELS:
        if re.search(who, vendor) and re.fullmatch(pattern, name) and name:
            return sharpness
    return "unknown"


def says_bone(text: str) -> bool:
    """True when a series description names a bone reconstruction (not the facial bones as a body part)."""
    return bool(_BONE_WORDS.search(_FACIAL_BONE.sub("", _normal(text))))


def contrast_said(text: str) -> Contrast:
    """What a free text says about contrast agent."""
    plain = _normal(text)
    rest = _NO_CONTRAST.sub(" ", plain)
    without, given = rest != plain, bool(_CONTRAST.search(rest))
    if without and given:
        return "both"
    return "without" if without else "with" if given else "unknown"


def body_part_said(text: str) -> BodyPart:
    """Which body part a free text names."""
    plain = _normal(text)
    head, other = bool(_HEAD.search(plain)), bool(_OTHER_PART.search(plain))
    if head and other:
        return "both"
    return "head" if head else "other" if other else "unknown"


def _normal(text: str) -> str:
    """Upper case, underscores and repeated blanks as one blank."""
    return " ".join(text.upper().replace("_", " ").split())
