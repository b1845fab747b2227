"""What lesions are made of: water, blood of an age, dead and dying brain, tumour; as ranges to draw from."""

from __future__ import annotations

from dataclasses import dataclass

from .materials import MaterialRange, single

# Lesions change water content and mobility. Relaxation times of oedema, infarct and tumour scatter so widely in print
# (Bottomley, Med Phys 1987: review of T1 in disease) that the ranges are wide, hold for both fields, and are ours
# unless a source is named.
VASOGENIC_OEDEMA = single((1300, 2000), (130, 230), (0.82, 0.92), (1.1, 1.6))
GLIOSIS = single((1200, 1800), (120, 210), (0.78, 0.9), (0.95, 1.4))  # leukoaraiosis: ADC up (Helenius 2002)
CAVITY = single((2600, 4200), (400, 1500), (0.95, 1.0), (2.2, 3.2))
CYST_FLUID = single((2200, 4200), (350, 1600), (0.95, 1.0), (2.2, 3.2))
PROTEIN_FLUID = single((500, 1600), (150, 500), (0.9, 1.0), (1.2, 2.4))
PUS = single((1400, 2400), (120, 260), (0.85, 0.95), (0.4, 0.75))  # restricted: Desprechins, AJNR 1999
ABSCESS_WALL = single((1100, 1600), (75, 110), (0.8, 0.88), (0.8, 1.1), uptake_per_s=(2.0, 4.0))
CALCIUM = single((500, 1000), (15, 50), (0.1, 0.4), (0.4, 0.8), t2star_ms=(2.0, 6.0))
SLOW_FLOW = single((1300, 1800), (120, 250), (0.8, 0.9), (1.0, 2.0), t2star_ms=(20.0, 50.0), uptake_per_s=(2.0, 4.5))

TUMOURS: dict[str, MaterialRange] = {
    "glioma, low grade": single((1400, 2300), (140, 260), (0.84, 0.93), (1.2, 1.8)),
    "glioma, high grade": single((1300, 1900), (110, 190), (0.82, 0.92), (0.85, 1.4), uptake_per_s=(0.8, 3.0)),
    "metastasis": single((1100, 1800), (85, 170), (0.8, 0.9), (0.7, 1.3), uptake_per_s=(1.2, 3.5)),
    "meningioma": single((1050, 1600), (80, 130), (0.8, 0.88), (0.7, 1.05), uptake_per_s=(2.0, 4.0)),
    "lymphoma": single((1050, 1500), (80, 110), (0.78, 0.86), (0.5, 0.75), uptake_per_s=(1.5, 3.5)),
    "demyelination": single((1200, 2000), (120, 230), (0.8, 0.92), (0.9, 1.5)),
}


@dataclass(frozen=True)
class BloodStage:
    """Blood of an age (Bradley, Radiology 1993).

    Args:
        days: its age.
        inside: the clot's material.
        blooming_per_s: what it adds to 1/T2* round itself at 1.5 T; it grows with the field.
    """

    days: tuple[float, float]
    inside: MaterialRange
    blooming_per_s: tuple[float, float]


# Bradley's stages: T1 and T2 appearance of oxy-, deoxy- and methaemoglobin and of haemosiderin; the numbers are ours,
# chosen to give that appearance. ADC of haematoma is reduced until the cells break up (Atlas, AJNR 2000: 0.6-0.7).
BLOOD_STAGES: dict[str, BloodStage] = {
    "hyperacute": BloodStage(
        (0.0, 0.5),
        single((1250, 1700), (90, 160), (0.85, 0.93), (0.5, 0.9), t2star_ms=(22, 50)),
        (15.0, 40.0),
    ),
    "acute": BloodStage(
        (0.5, 3.0),
        single((1050, 1500), (32, 60), (0.82, 0.9), (0.4, 0.8), t2star_ms=(5, 12)),
        (40.0, 90.0),
    ),
    "early subacute": BloodStage(
        (3.0, 7.0),
        single((350, 650), (38, 68), (0.82, 0.9), (0.5, 0.9), t2star_ms=(7, 18)),
        (35.0, 80.0),
    ),
    "late subacute": BloodStage(
        (7.0, 28.0),
        single((380, 650), (140, 320), (0.9, 0.98), (0.9, 1.7), t2star_ms=(35, 90)),
        (20.0, 60.0),
    ),
    "chronic": BloodStage(
        (28.0, 700.0),
        single((1200, 2600), (150, 600), (0.88, 1.0), (1.3, 2.8), t2star_ms=(40, 200)),
        (30.0, 80.0),
    ),
}
# Blood in the CSF stays oxygenated and is diluted; it shortens T1 so that FLAIR no longer nulls it.
SUBARACHNOID = single((1100, 2200), (180, 450), (0.93, 1.0), (1.4, 2.6), t2star_ms=(18, 60))
VENTRICULAR = single((900, 1700), (60, 180), (0.88, 0.97), (0.8, 1.8), t2star_ms=(10, 35))
CHRONIC_SUBDURAL = single((700, 1900), (200, 600), (0.93, 1.0), (1.6, 2.8), t2star_ms=(60, 200))
HYGROMA = single((3000, 4200), (600, 1500), (0.97, 1.0), (2.6, 3.2))
HAEMOSIDERIN = single((800, 1200), (28, 55), (0.7, 0.8), (0.5, 0.8), t2star_ms=(3, 9))


@dataclass(frozen=True)
class InfarctStage:
    """An infarct's age: what share of the normal ADC is left, how much water came in, and how strong it enhances.

    Args:
        hours: its age.
        adc_share: ADC divided by the normal one (Schlaug, Neurology 1997: about 0.6 in the first days, back to normal
            after 10; Lansberg, AJNR 2001).
        t2_gain: T2 divided by the normal one: FLAIR stays normal in the first hours (Thomalla, Lancet Neurol 2011: 62 %
            sensitivity of the mismatch for under 4.5 hours), rises within a day (the sizes are ours).
        t1_gain: T1 divided by the normal one (ours).
        uptake_per_s: contrast uptake, mostly from the fourth day on (ours).
        swelling: growth in radius of large ones.
    """

    hours: tuple[float, float]
    adc_share: tuple[float, float]
    t2_gain: tuple[float, float]
    t1_gain: tuple[float, float]
    uptake_per_s: tuple[float, float]
    swelling: tuple[float, float]


INFARCT_STAGES: dict[str, InfarctStage] = {
    "hyperacute": InfarctStage((0.7, 6.0), (0.42, 0.7), (1.0, 1.1), (1.0, 1.08), (0.0, 0.0), (1.0, 1.02)),
    "acute": InfarctStage((6.0, 72.0), (0.35, 0.65), (1.2, 1.7), (1.1, 1.4), (0.0, 0.2), (1.03, 1.16)),
    "subacute": InfarctStage((72.0, 240.0), (0.55, 0.85), (1.35, 2.0), (1.15, 1.5), (0.2, 1.8), (1.0, 1.12)),
}
