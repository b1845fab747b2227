"""PNG images and outlines, checked by another reader and by geometry."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.outputs.pictures import PictureMaker, heat_palette, outline_path
from NeuroTriageLib.outputs.png import grey_png, palette_png
from Testing.Lib.exam_builder import ExamSettings, build_exam


def read_png(uri: str, folder) -> np.ndarray:
    path = folder / "image.png"
    path.write_bytes(base64.b64decode(uri.removeprefix("data:image/png;base64,")))
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_another_program_reads_the_same_grey_values(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53)).astype(np.uint8)
    assert np.array_equal(read_png(grey_png(pixels), tmp_path), pixels)


def test_another_program_reads_colours_and_opacity(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 101, (20, 31)).astype(np.uint8)
    read_back = read_png(palette_png(pixels, heat_palette()), tmp_path)
    assert np.array_equal(read_back, heat_palette()[pixels])


def test_flipped_views_are_written_as_they_look(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)[::-1, ::-1]
    assert np.array_equal(read_png(grey_png(pixels), tmp_path), pixels)


def test_outline_of_a_box_is_its_four_sides_in_millimetres():
    mask = np.zeros((10, 10), bool)
    mask[2:5, 3:9] = True
    strokes = set(re.findall(r"M[^M]+", outline_path(mask, 0.5, 2.0)))
    assert strokes == {"M1.50 4.00H4.50", "M1.50 10.00H4.50", "M1.50 4.00V10.00", "M4.50 4.00V10.00"}


def test_outline_of_a_mask_at_the_border_is_closed():
    strokes = re.findall(r"M[^M]+", outline_path(np.ones((4, 6), bool), 1.0, 1.0))
    assert set(strokes) == {"M0.00 0.00H6.00", "M0.00 4.00H6.00", "M0.00 0.00V4.00", "M6.00 0.00V4.00"}


def test_brain_window_maps_0_to_80_hu_onto_black_to_white(tmp_path):
    exam = build_exam(ExamSettings())
    exam.volume.array_kji[3] = 40
    exam.volume.array_kji[3, 0, :3] = (-1000, 0, 80)
    page = read_png(PictureMaker(exam, exam.readings[0]).picture(3).image, tmp_path)
    assert page[0, :4].tolist() == [0, 0, 255, 128]


@pytest.mark.parametrize("flip", [np.eye(3), np.diag([-1.0, 1.0, 1.0]), np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])])
def test_outline_surrounds_the_bright_blood_on_the_page(flip, tmp_path):
    blood = {"IPH": ((-25.0, 5.0, 5.0), (18.0, 14.0, 22.0))}  # on the patient's right
    exam = build_exam(ExamSettings(blood=blood, axes=flip, shape_kji=(12, 60, 60), spacing_mm=(4.0, 4.0)))
    maker = PictureMaker(exam, exam.readings[0])
    k = exam.findings[1].key_slice
    picture = maker.picture(k)
    page = read_png(picture.image, tmp_path)
    numbers = [float(x) for x in re.findall(r"[MH](\d+\.\d+)", picture.outlines[0].path)]
    columns = np.flatnonzero(((page > 160) & (page < 255)).sum(axis=0) > 2) * maker.plane.spacing_x_mm
    assert min(numbers) == pytest.approx(columns.min(), abs=4)
    assert max(numbers) == pytest.approx(columns.max() + 4, abs=4)
    assert max(numbers) < maker.plane.size_mm[0] / 2  # the patient's right is on the left of the page


@pytest.mark.parametrize("flip", [np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])])
def test_abc2_lines_span_the_outline_on_the_page(flip):
    blood = {"IPH": ((-25.0, 5.0, 5.0), (18.0, 14.0, 22.0))}
    exam = build_exam(ExamSettings(blood=blood, axes=flip, shape_kji=(12, 60, 60), spacing_mm=(4.0, 4.0), tilt_deg=10))
    picture = PictureMaker(exam, exam.readings[0]).picture(exam.abc2[0].key_slice)
    xs = [float(x) for x in re.findall(r"[MH](\d+\.\d+)", picture.outlines[0].path)]
    ys = [float(y) for y in re.findall(r"(?: |V)(\d+\.\d+)", picture.outlines[0].path)]
    level = max(picture.lines, key=lambda line: abs(line[3] - line[1]))
    upright = max(picture.lines, key=lambda line: abs(line[4] - line[2]))
    assert sorted((level[1], level[3])) == pytest.approx([min(xs) + 2, max(xs) - 2])  # centres of the outermost pixels
    assert sorted((upright[2], upright[4])) == pytest.approx([min(ys) + 2, max(ys) - 2])


def test_head_fills_the_pictures():
    exam = build_exam(ExamSettings(shape_kji=(12, 100, 100), spacing_mm=(4.0, 4.0)))
    x, y, width, height = PictureMaker(exam, exam.readings[0]).view_box_mm
    assert width == pytest.approx(2 * 78 + 22, abs=12)
    assert height == pytest.approx(2 * 95 + 22, abs=12)
    assert x + width / 2 == pytest.approx(200, abs=8)
    assert y + height / 2 == pytest.approx(200, abs=8)


def test_air_alone_is_shown_whole():
    exam = build_exam(ExamSettings())
    exam.volume.array_kji[:] = -1000
    maker = PictureMaker(exam, exam.readings[0])
    assert maker.view_box_mm == (0.0, 0.0, *maker.plane.size_mm)
