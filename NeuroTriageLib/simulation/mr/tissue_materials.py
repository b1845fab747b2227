"""The healthy head's materials: each tissue's published ranges at 1.5 and 3 T."""

from __future__ import annotations

from ..tissue import Tissue
from .materials import MaterialRange, single

# Parts of the grey matter that differ in iron and myelin; numbers follow those of Tissue.
THALAMUS, CAUDATE, PUTAMEN, PALLIDUM = 18, 19, 20, 21
DURA, CHOROID = 22, 23
FIRST_LESION = 24
NUCLEI = {"thalamus": THALAMUS, "caudate": CAUDATE, "putamen": PUTAMEN, "pallidum": PALLIDUM}

# Checked against their abstracts: T1 of Wright, MAGMA 2008 (white 646 / 838, grey 1197 / 1607, putamen 1084 / 1332,
# caudate 1109 / 1395 ms at 1.5 / 3 T); T2 of Cox and Gowland, Magn Reson Med 2010 (white 80 / 71, frontal grey 87 /
# 76 ms). From memory: T1 and T2 of Stanisz, Magn Reson Med 2005 (white 884 and 72 / 1084 and 69, grey 1124 and 95 /
# 1820 and 99, blood 1441 and 290 / 1932 and 275, muscle 1008 and 44 / 1412 and 50), of Wansapura, J Magn Reson
# Imaging 1999 (3 T: white 832 and 80, grey 1331 and 110), of CSF in Rooney, Magn Reson Med 2007 (4300); T2* of
# Peters, Magn Reson Imaging 2007 (cortex 84 / 66, white 66 / 53, caudate 59 / 41, putamen 56 / 32); water of
# Whittall, Magn Reson Med 1997 (0.71 white, 0.83 grey); ADC of Helenius, AJNR 2002, and 3.0 for water at 37 degrees;
# fat and marrow of de Bazelaire, Radiology 2004 (fat 343 and 58 / 382 and 68, marrow 549 and 49 / 586 and 49), whose
# T2 echo trains lengthen to 120 (ours); magnetisation transfer of Melki and Mulkern, Magn Reson Med 1992 (white
# matter 5 to 20 % darker in echo trains). Contrast medium: blood of 0.5 to 1 mmol/L at 4.5 /s per mmol/L. What they
# do not cover (eye, mucosa, dura, pallidum, thalamus, brain stem, cerebellum) is ours, between the values of similar
# tissue.
# Scalp, fat, marrow and eyes are wider than any source says, on purpose: no answer may hang on them.
TISSUE_RANGES: dict[int, MaterialRange] = {
    Tissue.OUTSIDE: single((500, 500), (50, 50), (0.0, 0.0), (0.0, 0.0)),
    Tissue.AIR: single((500, 500), (50, 50), (0.0, 0.0), (0.0, 0.0)),
    Tissue.SOFT: MaterialRange(
        ((900, 1100), (1250, 1450)), ((36, 60), (34, 58)), ((28, 45), (22, 35)), (0.55, 0.9), (1.2, 1.7), (0.2, 0.9)
    ),
    Tissue.FAT: MaterialRange(
        ((250, 380), (300, 420)), ((50, 130), (50, 130)), ((32, 60), (22, 45)), (0.65, 1.0), (0.02, 0.1), is_fat=True
    ),
    Tissue.BONE: single((300, 500), (1.0, 3.0), (0.05, 0.15), (0.1, 0.3), t2star_ms=(0.5, 1.0)),
    Tissue.DIPLOE: MaterialRange(
        ((450, 750), (480, 800)), ((45, 85), (45, 80)), ((12, 25), (6, 14)), (0.2, 0.75), (0.15, 0.5), is_fat=True
    ),
    Tissue.CSF: MaterialRange(
        ((3800, 4500), (3800, 4500)), ((1200, 2200), (1000, 2000)), ((400, 900), (250, 700)), (0.97, 1.0), (2.9, 3.3)
    ),
    Tissue.VENTRICLE: MaterialRange(
        ((3900, 4500), (3900, 4500)), ((1400, 2200), (1200, 2000)), ((500, 900), (300, 700)), (0.98, 1.0), (2.9, 3.3)
    ),
    Tissue.CORTEX: MaterialRange(
        ((950, 1200), (1300, 1750)), ((86, 102), (78, 106)), ((72, 86), (54, 68)), (0.79, 0.85), (0.76, 0.92),
        (0.08, 0.2), (0.9, 0.98),
    ),
    Tissue.WHITE: MaterialRange(
        ((600, 820), (800, 1080)), ((70, 84), (65, 80)), ((60, 70), (46, 56)), (0.67, 0.73), (0.66, 0.8),
        (0.03, 0.1), (0.8, 0.95),
    ),
    Tissue.DEEP: MaterialRange(
        ((930, 1150), (1250, 1600)), ((88, 102), (82, 102)), ((70, 85), (50, 66)), (0.78, 0.84), (0.75, 0.9),
        (0.08, 0.2), (0.88, 0.97),
    ),
    Tissue.CEREBELLUM: MaterialRange(
        ((900, 1120), (1250, 1600)), ((88, 102), (82, 102)), ((70, 85), (52, 68)), (0.8, 0.86), (0.66, 0.82),
        (0.08, 0.2), (0.9, 0.98),
    ),
    Tissue.BRAINSTEM: MaterialRange(
        ((700, 880), (930, 1180)), ((76, 90), (70, 86)), ((60, 72), (44, 58)), (0.71, 0.77), (0.62, 0.8),
        (0.04, 0.12), (0.82, 0.95),
    ),
    Tissue.SINUS: MaterialRange(
        ((1350, 1550), (1700, 2000)), ((150, 260), (60, 150)), ((60, 120), (20, 45)), (0.8, 0.88), (1.5, 3.0),
        (2.2, 4.5), flow_void=(0.6, 1.0),
    ),
    Tissue.ARTERY: MaterialRange(
        ((1350, 1550), (1700, 2000)), ((200, 290), (180, 275)), ((120, 200), (90, 180)), (0.8, 0.88), (2.0, 3.5),
        (2.2, 4.5), flow_void=(0.8, 1.0),
    ),
    Tissue.EYE: single((3300, 4300), (600, 1500), (0.95, 1.0), (2.6, 3.1), t2star_ms=(200, 500)),
    Tissue.MUCOSA: single(
        (1100, 1800), (75, 180), (0.75, 0.95), (1.2, 2.0), t2star_ms=(12, 30), uptake_per_s=(1.0, 3.0)
    ),
    Tissue.CEREBELLAR_WHITE: MaterialRange(
        ((640, 840), (840, 1100)), ((72, 86), (66, 82)), ((58, 70), (42, 54)), (0.69, 0.75), (0.62, 0.78),
        (0.03, 0.1), (0.82, 0.95),
    ),
    THALAMUS: MaterialRange(
        ((800, 980), (1080, 1350)), ((80, 92), (72, 88)), ((62, 74), (44, 56)), (0.75, 0.81), (0.7, 0.82),
        (0.05, 0.15), (0.85, 0.95),
    ),
    CAUDATE: MaterialRange(
        ((980, 1150), (1250, 1550)), ((82, 96), (76, 90)), ((54, 64), (36, 46)), (0.79, 0.84), (0.68, 0.8),
        (0.06, 0.16), (0.88, 0.97),
    ),
    PUTAMEN: MaterialRange(
        ((960, 1140), (1200, 1420)), ((76, 90), (66, 82)), ((48, 60), (26, 36)), (0.79, 0.84), (0.66, 0.78),
        (0.06, 0.16), (0.88, 0.97),
    ),
    PALLIDUM: MaterialRange(
        ((740, 900), (920, 1150)), ((62, 76), (50, 64)), ((36, 48), (17, 26)), (0.72, 0.79), (0.68, 0.82),
        (0.05, 0.12), (0.85, 0.95),
    ),
    DURA: single((800, 1100), (25, 50), (0.6, 0.8), (0.5, 0.9), t2star_ms=(15, 30), uptake_per_s=(0.6, 2.2)),
    CHOROID: single((1200, 1700), (90, 160), (0.8, 0.92), (1.0, 1.8), t2star_ms=(25, 60), uptake_per_s=(2.0, 4.0)),
}  # fmt: skip
