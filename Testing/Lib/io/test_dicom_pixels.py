"""Stored values become Hounsfield units in every transfer syntax, with missing or odd rescale tags, without padding."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)

from NeuroTriageLib.core.errors import DicomError
from NeuroTriageLib.io.dicom_pixels import read_pixels
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.review.versions import AIR_HU, voxels_sha256
from Testing.Lib.io.dicom_builder import (
    CtStack,
    axial,
    compressed,
    enhanced,
    every,
    slices,
    without,
    write,
    write_jpeg_lossless,
    write_stack,
)


def read_hu(path):
    """(values, flags by code) of the only series."""
    with open_input(path) as (study,):
        (series,) = study.series
        volume, flags = read_volume(series)
    return volume, {flag.code: flag for flag in flags}


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_a_lossless_syntax_gives_the_values_that_were_written(syntax, tmp_path):
    stack = axial(shape_ji=(40, 36))
    write(tmp_path, [compressed(item, syntax) for item in slices(stack)])
    assert np.array_equal(read_hu(tmp_path)[0].array_kji, stack.values())


def test_jpeg_lossless_gives_the_values_that_were_written(tmp_path):
    stack = axial(count=4, shape_ji=(40, 36))
    write_stack(tmp_path / "plain", stack)
    (tmp_path / "jpeg").mkdir()
    for path in (tmp_path / "plain").iterdir():
        write_jpeg_lossless(path, tmp_path / "jpeg" / path.name)
        syntax = pydicom.dcmread(tmp_path / "jpeg" / path.name).file_meta.TransferSyntaxUID
        assert syntax == "1.2.840.10008.1.2.4.70"
    assert np.array_equal(read_hu(tmp_path / "jpeg")[0].array_kji, stack.values())


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda uid: uid.name
)
def test_an_uncompressed_syntax_gives_the_values_that_were_written(syntax, tmp_path):
    stack = axial()
    for k, item in enumerate(slices(stack)):
        item.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            item.PixelData = np.frombuffer(item.PixelData, "<i2").astype(">i2").tobytes()
        implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
        item.save_as(tmp_path / f"{k}.dcm", implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    assert np.array_equal(read_hu(tmp_path)[0].array_kji, stack.values())


def test_twelve_unsigned_bits_are_read(tmp_path):
    stack = axial()

    def change(k, item):
        item.PixelRepresentation, item.BitsStored, item.HighBit = 0, 12, 11

    hu = np.clip(stack.values(), -1000, 3000)
    volume, _ = read_hu(write_stack(tmp_path, CtStack(stack.origins_lps_mm, hu=hu), change))
    assert np.array_equal(volume.array_kji, hu)


def test_whole_numbers_stay_int16_and_fractions_become_float32(tmp_path):
    assert read_hu(write_stack(tmp_path / "whole", axial()))[0].array_kji.dtype == np.int16
    volume, _ = read_hu(write_stack(tmp_path / "half", axial(hu=np.full((12, 14, 10), 42)), slope=0.5))
    assert volume.array_kji.dtype == np.float32 and (volume.array_kji == 42).all()


@pytest.mark.parametrize("slope", [2.3443, 0.001, 1.7])
def test_fractions_are_those_that_other_readers_have(slope, tmp_path):
    """A mask knows its image by the values, and may have been drawn in a program that reads with GDCM."""
    folder = write_stack(tmp_path / "mr", axial(hu=np.arange(12 * 14 * 10).reshape(12, 14, 10) % 4000), slope=slope)
    volume, _ = read_hu(folder)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs = SimpleITK.GetArrayFromImage(reader.Execute())
    ours = voxels_sha256(volume.array_kji)
    assert ours == voxels_sha256(np.maximum(theirs, AIR_HU))


def test_each_slice_is_rescaled_by_its_own_tags(tmp_path):
    stack = axial()
    stored = stack.values() + 1024

    def change(k, item):
        item.RescaleIntercept = -1024.0 - 10 * k
        item.PixelData = (stored[k] + 10 * k).astype("<i2").tobytes()

    assert np.array_equal(read_hu(write_stack(tmp_path, stack, change))[0].array_kji, stack.values())


def test_equal_values_in_one_rescale_tag_count_once(tmp_path):
    stack = axial()
    change = every(RescaleIntercept=[-1024, -1024], RescaleSlope=[1, 1])
    assert np.array_equal(read_hu(write_stack(tmp_path, stack, change))[0].array_kji, stack.values())


@pytest.mark.parametrize(
    "change",
    [
        every(RescaleIntercept=[-1024, 0]),
        every(RescaleSlope=[1, 2]),
        every(RescaleSlope=0.0),
        every(RescaleSlope=1e308),
        every(RescaleIntercept=-1e300),
    ],
)
def test_rescale_tags_that_contradict_themselves_are_refused(change, tmp_path):
    with pytest.raises(DicomError, match="no Hounsfield units"):
        read_hu(write_stack(tmp_path, axial(), change))


def test_a_large_whole_slope_does_not_wrap_around(tmp_path):
    stack = axial()
    change = every(RescaleSlope=100_000, RescaleIntercept=0, Modality="MR")
    values = read_hu(write_stack(tmp_path, stack, change))[0].array_kji
    assert np.array_equal(values, (stack.values() + 1024) * 100_000.0) and values.max() > 2**25


def test_a_syntax_that_is_none_is_refused(tmp_path):
    (path,) = write_stack(tmp_path, axial(count=1)).iterdir()
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.1\0\0\0", 1))
    with pytest.raises(DicomError, match="syntax is unknown"):
        read_hu(path)


def ct_like(offset: int) -> CtStack:
    """Air, soft tissue and bone in plausible shares, as (HU - offset)."""
    hu = np.full((12, 14, 10), -1000)
    hu[:, 2:12, 2:8] = 1000
    hu[:, 3:11, 3:7] = 35
    return axial(hu=hu - offset)


def test_a_missing_intercept_is_inferred_from_air_and_tissue_and_flagged(tmp_path):
    folder = write_stack(tmp_path, ct_like(0), without("RescaleIntercept", "RescaleSlope"), intercept=-1024.0)
    volume, flags = read_hu(folder)
    assert np.array_equal(volume.array_kji, ct_like(0).values())
    assert flags["rescale_missing"].value == -1024


def test_values_that_are_hounsfield_units_already_need_no_intercept(tmp_path):
    folder = write_stack(tmp_path, ct_like(0), without("RescaleIntercept", "RescaleSlope"), intercept=0.0)
    volume, flags = read_hu(folder)
    assert np.array_equal(volume.array_kji, ct_like(0).values())
    assert flags["rescale_missing"].value == 0


def test_a_missing_intercept_without_evidence_is_refused(tmp_path):
    flat = CtStack(axial().origins_lps_mm, hu=np.full((12, 14, 10), 200))
    with pytest.raises(DicomError, match="intercept is missing"):
        read_hu(write_stack(tmp_path, flat, without("RescaleIntercept"), intercept=0.0))


@pytest.mark.parametrize(("padding", "intercept"), [(-1500, 0.0), (-2000, 0.0), (-2000, -1024.0), (63536, 0.0)])
def test_padding_becomes_air(padding, intercept, tmp_path):
    stack = axial()
    stored = padding - 2**16 if padding > 2**15 else padding

    def change(k, item):
        item.add_new("PixelPaddingValue", "US" if padding > 0 else "SS", padding)
        pixels = np.frombuffer(item.PixelData, "<i2").copy()
        pixels[:7] = stored
        item.PixelData = pixels.tobytes()

    array = read_hu(write_stack(tmp_path, stack, change, intercept=intercept))[0].array_kji
    assert (array.reshape(12, -1)[:, :7] == -1024).all()
    assert np.array_equal(array.reshape(12, -1)[:, 7:], stack.values().reshape(12, -1)[:, 7:])


def test_values_far_below_air_become_air_also_without_a_padding_tag(tmp_path):
    hu = axial().values()
    hu[:, 0, 0] = -3024
    volume, _ = read_hu(write_stack(tmp_path, CtStack(axial().origins_lps_mm, hu=hu), intercept=0.0))
    assert (volume.array_kji[:, 0, 0] == -1024).all() and volume.array_kji.min() == -1024


def test_a_range_of_padding_values_becomes_air(tmp_path):
    hu = axial().values()
    hu[:, 0, 0], hu[:, 0, 1] = -2000, -1900

    def change(k, item):
        item.add_new("PixelPaddingValue", "SS", -2000)
        item.add_new("PixelPaddingRangeLimit", "SS", -1900)

    volume, _ = read_hu(write_stack(tmp_path, CtStack(axial().origins_lps_mm, hu=hu), change, intercept=0.0))
    assert (volume.array_kji[:, 0, :2] == -1024).all()


def test_a_padding_value_that_tissue_has_too_counts_only_in_the_corners(tmp_path):
    hu = np.full((12, 21, 21), 0)
    change = every(PixelPaddingValue=0)
    volume, _ = read_hu(write_stack(tmp_path, axial(hu=hu, shape_ji=(21, 21)), change, intercept=0.0))
    assert (volume.array_kji[:, 10, :] == 0).all()
    assert (volume.array_kji[:, 0, 0] == -1024).all()


@pytest.mark.parametrize("sop_class", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage])
def test_enhanced_multi_frame_ct_keeps_place_value_and_frame_number(sop_class, tmp_path):
    angle = np.radians(20)
    origins = np.array([[-3.0, -6.0, 5.0 * k] for k in range(9)])
    directions = ((1, 0, 0), (0, float(np.cos(angle)), -float(np.sin(angle))))
    stack = CtStack(origins, directions=directions, tags={"SOPClassUID": sop_class})
    order = [4, 0, 8, 2, 6, 1, 5, 3, 7]
    volume, _ = read_hu(write(tmp_path, [enhanced(stack, order=order)]))
    assert np.array_equal(volume.array_kji, stack.values())
    assert volume.grid.origins_lps_mm == pytest.approx(origins)
    assert volume.grid.tilt_deg == pytest.approx(20, abs=1e-6)
    assert volume.frame_numbers == tuple(order.index(k) + 1 for k in range(9))
    assert len(set(volume.sop_instance_uids)) == 1


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_compressed_multi_frame_ct_is_read(syntax, tmp_path):
    stack = axial(shape_ji=(40, 36))
    item = compressed(enhanced(stack, order=[*range(11, -1, -1)]), syntax)
    assert np.array_equal(read_hu(write(tmp_path, [item]))[0].array_kji, stack.values())


def test_lossy_compression_is_flagged(tmp_path):
    _, flags = read_hu(write_stack(tmp_path, axial(), every(LossyImageCompression="01")))
    assert set(flags) == {"lossy_compression"}


def test_a_truncated_uncompressed_slice_is_refused_by_its_file_name(tmp_path):
    folder = write_stack(tmp_path, axial())
    victim = sorted(folder.iterdir())[5]
    victim.write_bytes(victim.read_bytes()[:-50])
    with pytest.raises(DicomError, match="truncated") as caught:
        read_hu(folder)
    assert victim.name in caught.value.where


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_a_truncated_compressed_slice_is_refused(syntax, tmp_path):
    noise = np.random.default_rng(0).integers(-900, 2000, (12, 40, 36))
    folder = write(tmp_path, [compressed(item, syntax) for item in slices(axial(hu=noise, shape_ji=(40, 36)))])
    victim = sorted(folder.iterdir())[5]
    victim.write_bytes(victim.read_bytes()[:-1200])
    with pytest.raises(DicomError, match="truncated"):
        read_hu(folder)


def test_missing_pixel_data_is_refused(tmp_path):
    with pytest.raises(DicomError, match="no pixel data"):
        read_hu(write_stack(tmp_path, axial(), without("PixelData")))


def test_absurd_dimensions_are_refused_before_memory_is_asked_for(tmp_path):
    with pytest.raises(DicomError, match="absurd"):
        read_hu(write_stack(tmp_path, axial(), every(Rows=60000, Columns=60000)))


def test_colour_pictures_are_refused(tmp_path):
    with pytest.raises(DicomError, match="colour"):
        read_hu(write_stack(tmp_path, axial(), every(SamplesPerPixel=3)))


def test_pixels_come_in_the_order_of_the_instances_asked_for(tmp_path):
    stack = axial()
    with open_input(write_stack(tmp_path, stack)) as (study,):
        backwards = study.series[0].instances[::-1]
        array, _ = read_pixels(backwards)
    heights = [item.header["ImagePositionPatient"][2] for item in backwards]
    assert np.array_equal(array[np.argsort(heights)], stack.values())
