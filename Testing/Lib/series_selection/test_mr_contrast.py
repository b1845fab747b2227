"""MR series of every vendor are told apart by their physics; descriptions only choose among what the physics allows.

The headers are written by hand after each vendor's own way of filling them in, none is copied from a patient's series.
"""

from __future__ import annotations

from typing import Any

import pytest

from NeuroTriageLib.series_selection.mr_contrast import identify
from NeuroTriageLib.series_selection.mr_contrasts import CONTRASTS, ROLES
from NeuroTriageLib.series_selection.mr_facts import facts_of
from NeuroTriageLib.series_selection.mr_vocabulary import agent_said, contrast_named, study_has_both

SIEMENS, PHILIPS, GE = "SIEMENS", "Philips Medical Systems", "GE MEDICAL SYSTEMS"
CANON, HITACHI = "TOSHIBA_MEC", "Hitachi Medical Corporation"


def header(manufacturer: str = SIEMENS, **values: Any) -> dict[str, Any]:
    """A DICOM header in milliseconds, axial unless said otherwise."""
    axial = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    made = {"Modality": "MR", "Manufacturer": manufacturer, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}
    return made | {"ImageOrientationPatient": axial} | values


def sequence(kind: str, te: float, tr: float, flip: float = 90.0, **values: Any) -> dict[str, Any]:
    """The timing entries."""
    return {"ScanningSequence": kind.split(), "EchoTime": te, "RepetitionTime": tr, "FlipAngle": flip} | values


def contrast(given: dict[str, Any], **known: int) -> str:
    return identify(facts_of(given, **known)).contrast


EPI_SE = sequence("EP SE", 80, 5000, PixelBandwidth=1500.0)
EPI_GE = sequence("EP GR", 30, 2000, 77, PixelBandwidth=2200.0)


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        # Siemens: names of sequences, words of ImageType
        ("FLAIR", header(**sequence("SE IR", 85, 9000, 150, InversionTime=2500.0, SequenceName="*tir2d1_16"))),
        ("FLAIR", header(**sequence("SE IR", 388, 5000, 120, InversionTime=1800.0, SequenceName="*spcir_278ns"))),
        ("T1", header(**sequence("GR IR", 2.3, 1900, 9, InversionTime=900.0, SequenceName="*tfl3d1_16ns"))),
        ("T1", header(**sequence("SE", 12, 550, 90, SequenceName="*se2d1"))),
        ("T1", header(**sequence("SE", 20, 700, 120, SequenceName="*spc_45ns", MRAcquisitionType="3D"))),
        ("T1", header(**sequence("GR", 2.5, 250, 70, SequenceName="*fl2d1", MRAcquisitionType="2D"))),
        ("T2", header(**sequence("SE", 95, 5000, 150, SequenceName="*tse2d1_15"))),
        ("T2star", header(**sequence("GR", 20, 620, 20, SequenceName="*fl2d1", MRAcquisitionType="2D"))),
        ("SWI", header(**sequence("GR", 20, 28, 15, ImageType=["ORIGINAL", "PRIMARY", "M", "SWI", "NORM"]))),
        ("SWI", header(**sequence("GR", 20, 28, 15, SequenceName="*swi3d1r", MRAcquisitionType="3D"))),
        ("PHASE", header(**sequence("GR", 20, 28, 15, ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]))),
        ("PROJECTION", header(**sequence("GR", 20, 28, 15, ImageType=["DERIVED", "PRIMARY", "MNIP", "SWI"]))),
        ("TRACE", header(**EPI_SE, SequenceName="*ep_b1000t")),
        ("TRACE", header(**EPI_SE, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND"])),
        ("ADC", header(**EPI_SE, SequenceName="*ep_b0_1000", ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"])),
        ("DIFFUSION_MAP", header(**EPI_SE, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "FA", "ND"])),
        ("DWI", header(**EPI_SE, SequenceName="*ep_b1000#17", ImageType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"])),
        ("TRACE", header(**sequence("SE", 70, 5000, SequenceName="*re_b1000t", PixelBandwidth=700.0))),
        ("BOLD", header(**EPI_GE, SequenceName="*epfid2d1_64", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])),
        ("SBREF", header(**EPI_SE, SequenceName="epse2d1_100")),
        ("FIELDMAP", header(**sequence("GR", 4.9, 488, 60, SequenceName="*fm2d2r"))),
        ("ANGIO", header(**sequence("GR", 3.4, 21, 18, SequenceName="*fi3d1r_tr", MRAcquisitionType="3D"))),
        ("ASL", header(**sequence("EP GR", 22, 4600, 180, SequenceName="*tgse3d1_63"))),
        ("LOCALIZER", header(**sequence("GR", 4, 8.6, 20, SequenceName="*fl2d1", MRAcquisitionType="2D"))),
        # Philips: ImageType in pairs, no sequence name, spin echo for echo-planar diffusion
        ("TRACE", header(PHILIPS, **sequence("SE", 78, 4000, ImageType=["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"]),
                         PixelBandwidth=1300.0, MRAcquisitionType="2D")),
        ("TRACE", header(PHILIPS, **sequence("SE", 60, 3000, ImageType=["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"]),
                         WaterFatShift=14.0)),
        ("ADC", header(PHILIPS, **sequence("RM", 78, 4000),
                       ImageType=["ORIGINAL", "PRIMARY", "ADC_UNSPECIFIED", "ADC", "UNSPECIFIED"])),
        ("FLAIR", header(PHILIPS, **sequence("IR", 300, 4800, InversionTime=1660.0), MRAcquisitionType="3D",
                         PixelBandwidth=1280.0)),
        ("T1", header(PHILIPS, **sequence("GR", 3.4, 7.5, 8), SequenceVariant="MP", MRAcquisitionType="3D")),
        ("T1", header(PHILIPS, **sequence("SE", 28, 600), MRAcquisitionType="3D")),
        ("SWI", header(PHILIPS, **sequence("GR", 7.2, 31, 17), MRAcquisitionType="3D")),
        ("ANGIO", header(PHILIPS, **sequence("GR", 3.5, 23, 18), MRAcquisitionType="3D",
                         ScanOptions=["FC"], ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"])),
        ("T2star", header(PHILIPS, **sequence("GR", 16, 700, 18), MRAcquisitionType="2D")),
        ("TRACE", header(PHILIPS, **EPI_SE, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "MIXED"])),
        ("ADC", header(PHILIPS, **sequence("RM", 92, 3600), ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "MIXED"])),
        # GE: echo-planar in ScanOptions, inversion time also without IR in the sequence
        ("FLAIR", header(GE, **sequence("SE", 110, 9000, 160, InversionTime=2200.0),
                         ImageType=["ORIGINAL", "PRIMARY", "PROPELLER", "NONE", "REAL"])),
        ("T1", header(GE, **sequence("SE IR", 9, 2600, InversionTime=920.0))),
        ("T1", header(GE, **sequence("SE", 42, 3100, 160, InversionTime=1220.0))),
        ("T1", header(GE, **sequence("GR", 3.2, 8.4, 12, InversionTime=450.0), MRAcquisitionType="3D")),
        ("T2", header(GE, **sequence("SE", 100, 4500, InversionTime=0.0), ScanOptions=["FAST_GEMS"])),
        ("SWI", header(GE, **sequence("GR", 25, 40, 15), MRAcquisitionType="3D", PulseSequenceName="3DSWAN")),
        ("TRACE", header(GE, **EPI_SE, ScanOptions=["EPI_GEMS", "PFF"], DiffusionBValue=1000.0,
                         DiffusionDirectionality="ISOTROPIC")),
        ("TRACE", header(GE, **EPI_SE, ScanOptions=["EPI_GEMS", "PFF"], ImageType=["ORIGINAL", "PRIMARY", "OTHER"])),
        ("ADC", header(GE, **EPI_SE, ImageType=["DERIVED", "PRIMARY", "ADC", "ADC"])),
        ("DIFFUSION_MAP", header(GE, **EPI_SE, ImageType=["DERIVED", "PRIMARY", "EADC"])),
        ("PERFUSION_MAP", header(GE, **EPI_GE, ImageType=["DERIVED", "SECONDARY", "CBF"])),
        ("ANGIO", header(GE, **sequence("GR", 3, 25, 20), ScanOptions=["VASCTOF_GEMS"], MRAcquisitionType="3D")),
        # Canon, Toshiba, Hitachi: public tags, plain names
        ("TRACE", header(CANON, **EPI_SE, DiffusionBValue=1000.0)),
        ("DWI", header(CANON, **EPI_SE, ImageComments="b=1000(0.445,0.000,0.895)")),
        ("TRACE", header(CANON, **EPI_SE, ImageComments="b=1000")),
        ("FLAIR", header(CANON, **sequence("SE IR", 105, 10000, InversionTime=2700.0))),
        ("T2star", header(CANON, **sequence("GR", 15, 700, 20), MRAcquisitionType="2D")),
        ("FLAIR", header(HITACHI, **sequence("IR", 100, 9000, InversionTime=2000.0))),
        ("T2", header(HITACHI, **sequence("SE", 110, 4500))),
        ("T1", header(HITACHI, **sequence("SE", 14, 480))),
        ("TRACE", header(HITACHI, **sequence("EP SE", 90, 4000), DiffusionBValue=800.0)),
        # what is no role
        ("STIR", header(**sequence("SE IR", 60, 4000, InversionTime=160.0))),
        ("PD", header(**sequence("SE", 12, 3500))),
        ("LOCALIZER", header(**sequence("GR", 3, 7, 40), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
        ("NOT_MR", header() | {"Modality": "CT"}),
        ("OTHER", header()),
    ],
)  # fmt: skip
def test_every_vendors_series_is_known_without_a_description(expected, given):
    assert contrast(given) == expected


ENHANCED = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1", "Modality": "MR", "Manufacturer": "SIEMENS"}


@pytest.mark.parametrize(
    ("expected", "values"),
    [
        ("FLAIR", {"EchoPulseSequence": "SPIN", "InversionRecovery": "YES", "InversionTimes": [2500.0],
                   "EffectiveEchoTime": 90.0, "RepetitionTime": 9000.0}),
        ("FLAIR", {"AcquisitionContrast": "FLUID_ATTENUATED"}),
        ("TRACE", {"EchoPulseSequence": "SPIN", "EchoPlanarPulseSequence": "YES", "EffectiveEchoTime": 80.0,
                   "DiffusionBValue": 1000.0, "DiffusionDirectionality": "ISOTROPIC"}),
        ("DWI", {"EchoPulseSequence": "SPIN", "EchoPlanarPulseSequence": "YES", "EffectiveEchoTime": 80.0,
                 "DiffusionBValue": 1000.0, "DiffusionDirectionality": "DIRECTIONAL"}),
        ("ADC", {"EchoPulseSequence": "SPIN", "EchoPlanarPulseSequence": "YES", "ImageType": ["DERIVED", "PRIMARY",
                 "DIFFUSION", "ADC"], "DiffusionBValue": 1000.0, "DiffusionDirectionality": "ISOTROPIC"}),
        ("T1", {"EchoPulseSequence": "GRADIENT", "InversionRecovery": "YES", "InversionTimes": [900.0],
                "EffectiveEchoTime": 2.3, "RepetitionTime": 2300.0}),
        ("BOLD", {"EchoPulseSequence": "GRADIENT", "EchoPlanarPulseSequence": "YES", "EffectiveEchoTime": 30.0}),
    ],
)  # fmt: skip
def test_enhanced_multi_frame_headers_are_read_in_their_own_words(expected, values):
    assert contrast(ENHANCED | values) == expected


def test_a_sidecar_in_seconds_means_the_same_as_dicom_in_milliseconds():
    dicom = header(PHILIPS, **sequence("IR", 300, 4800, InversionTime=1660.0))
    sidecar = {
        "Manufacturer": "Philips", "Modality": "MR", "ScanningSequence": "IR", "EchoTime": 0.3, "RepetitionTime": 4.8,
        "InversionTime": 1.66, "FlipAngle": 90, "ImageOrientationPatientDICOM": [0, 1, 0, 0, 0, -1],
    }  # fmt: skip
    ours, theirs = facts_of(dicom), facts_of(sidecar)
    assert (ours.echo_time_ms, ours.repetition_time_ms) == (theirs.echo_time_ms, theirs.repetition_time_ms)
    assert ours.inversion_times_ms == theirs.inversion_times_ms == (1660.0,)
    assert identify(theirs).contrast == "FLAIR" and theirs.plane == "sagittal"


def test_a_header_without_any_sign_of_its_form_is_in_seconds_when_its_echo_time_says_so():
    assert facts_of({"EchoTime": 0.09}).echo_time_ms == pytest.approx(90)
    assert facts_of({"EchoTime": 90}).echo_time_ms == pytest.approx(90)


def test_a_description_chooses_between_trace_and_no_weighting_where_the_header_cannot():
    silent = header(PHILIPS, **EPI_SE)
    known = identify(facts_of(silent))
    assert known.contrast == "TRACE" and known.confidence < 0.8 and "B0" in known.alternatives
    assert contrast(silent | {"SeriesDescription": "sB0"}) == "B0"
    told = identify(facts_of(silent | {"SeriesDescription": "sB1000"}))
    assert told.contrast == "TRACE" and told.confidence > known.confidence


def test_a_description_cannot_overrule_physics_but_lowers_the_confidence():
    t2 = header(**sequence("SE", 95, 5000, 150))
    sure, doubted = identify(facts_of(t2)), identify(facts_of(t2 | {"SeriesDescription": "AX FLAIR"}))
    assert doubted.contrast == "T2" and doubted.confidence < sure.confidence
    assert any("FLAIR" in reason for reason in doubted.reasons)


@pytest.mark.parametrize("words", ["DWI", "AX DWI", "Diffusion", "ep2d_diff"])
def test_a_plain_diffusion_word_does_not_turn_a_trace_image_into_raw_images(words):
    assert contrast(header(GE, **EPI_SE, SeriesDescription=words)) == "TRACE"


@pytest.mark.parametrize("vendor", [SIEMENS, PHILIPS, GE, CANON, HITACHI])
@pytest.mark.parametrize("kind", [EPI_GE, EPI_SE | {"SequenceName": "epse2d1_100", "Manufacturer": SIEMENS}])
def test_functional_series_and_their_references_are_never_trace_or_adc(vendor, kind):
    for mosaic in ([], ["MOSAIC"]):
        given = header(vendor) | kind | {"ImageType": ["ORIGINAL", "PRIMARY", "M", *mosaic]}
        assert contrast(given) not in ("TRACE", "ADC")
        assert contrast(given, volumes=200, images=200) not in ("TRACE", "ADC")


def test_many_volumes_of_spin_echo_epi_are_raw_diffusion_not_a_trace_image():
    assert contrast(header(PHILIPS, **EPI_SE), volumes=33, images=33 * 30) == "DWI"
    assert contrast(header(PHILIPS, **EPI_SE, DiffusionBValue=1000.0), volumes=32, images=32 * 30) == "DWI"


def test_one_volume_of_gradient_echo_epi_is_a_t2star_image():
    assert contrast(header(GE, **EPI_GE), volumes=1, images=30) == "T2star"
    assert contrast(header(GE, **EPI_GE), volumes=120, images=3600) == "BOLD"
    assert contrast(header(GE, **EPI_GE, ContrastBolusAgent="Gadavist"), volumes=60, images=1800) == "PERFUSION"


def test_no_diffusion_weighting_in_a_whole_series_is_b0_but_in_a_first_image_only_a_part_of_raw_images():
    zero = header(**EPI_SE, SequenceName="*ep_b0")
    assert contrast(zero, volumes=1, images=30) == "B0"
    assert contrast(zero | {"ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "MOSAIC"]}) == "DWI"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, "T1"),
        ({"ContrastBolusAgent": "GADAVIST"}, "T1post"),
        ({"ContrastBolusAgent": "NONE"}, "T1"),
        ({"SeriesDescription": "AX T1 POST"}, "T1post"),
        ({"SeriesDescription": "T1 SE TRA +C"}, "T1post"),
        ({"SeriesDescription": "t1_mprage_sag_GD"}, "T1post"),
        ({"SeriesDescription": "AX T1 PRE", "ContrastBolusAgent": "GADAVIST"}, "T1"),
        ({"SeriesDescription": "T1 posterior fossa"}, "T1"),
    ],
)
def test_contrast_agent_is_seen_in_its_tag_and_in_words_and_the_series_own_words_win(extra, expected):
    assert contrast(header(**sequence("SE", 12, 550), **extra)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t2_tse_dark-fluid_tra_p2", "FLAIR"), ("Ax T1 FLAIR", "T1"), ("ep2d_diff_3scan_trace_p2_ADC", "ADC"),
        ("ep2d_diff_3scan_trace_p2_TRACEW", "TRACE"), ("eADC", "DIFFUSION_MAP"), ("3-Plane Loc SSFSE", "LOCALIZER"),
        ("Survey_32ch", "LOCALIZER"), ("AX GRE T2*", "T2star"), ("t2_fl2d_tra_hemo", "T2star"), ("SWIp", "SWI"),
        ("3D TOF MRA", "ANGIO"), ("DTI_30dir", "DWI"), ("rsfMRI_AP", "BOLD"), ("T2W_TSE", "T2"), ("sB1000", "TRACE"),
        ("sB0", "B0"), ("BraTS-GLI-00000-000-t2f", "FLAIR"), ("mip_images(SW)", "PROJECTION"), ("", ""), ("xyz", ""),
    ],
)  # fmt: skip
def test_sites_words_are_understood(text, expected):
    assert contrast_named(text) == expected


def test_what_is_said_of_contrast_agent_is_read_in_either_order():
    assert agent_said("MRI BRAIN W/O CONTRAST") == "without" and agent_said("AX T1 W CONTRAST") == "with"
    assert study_has_both("MRI BRAIN W WO CONTRAST") and study_has_both("MRI HEAD WITH AND WITHOUT CONTRAST")
    assert not study_has_both("MRI BRAIN WITHOUT CONTRAST") and not study_has_both("")


TILT = [1.0, 0.0, 0.0, 0.0, 0.9, 0.436]


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"), ([-1, 0, 0, 0, 1, 0], "axial"), (TILT, "axial"),
        ([0, 1, 0, 0, 0, -1], "sagittal"), ([1, 0, 0, 0, 0, -1], "coronal"),
        ([1, 0, 0, 0, 0.7071, 0.7071], "oblique"), ([], "unknown"), ([0, 0, 0, 0, 0, 0], "unknown"),
    ],
)  # fmt: skip
def test_the_plane_follows_from_the_cosines(orientation, plane):
    assert facts_of({"ImageOrientationPatient": orientation}).plane == plane


def test_a_3d_acquisition_without_orientation_says_3d():
    assert facts_of({"MRAcquisitionType": "3D"}).plane == "3D"


def test_every_answer_is_a_known_contrast_with_a_meaning():
    assert set(ROLES) <= set(CONTRASTS) and all(CONTRASTS.values())


def test_dcm2niix_guess_of_the_contrast_is_not_looked_at():
    given = header() | {"BidsGuess": ["anat", "_FLAIR"]}
    assert contrast(given) == "OTHER"
