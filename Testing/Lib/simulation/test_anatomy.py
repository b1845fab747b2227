"""Derived fields of a head whose geometry is known."""

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.simulation.anatomy import anatomy_from_labels, load_anatomy
from NeuroTriageLib.simulation.phantom import phantom_anatomy, phantom_head_ct, phantom_labels
from NeuroTriageLib.simulation.tissue import BRAIN_TISSUES, Tissue


def test_depth_is_zero_outside_the_skull_and_grows_inwards(anatomy):
    bone = np.isin(anatomy.tissue, (Tissue.BONE, Tissue.DIPLOE))
    assert not anatomy.depth[bone].any()
    k, j, i = anatomy.brain_center_kji.astype(int)
    line = anatomy.depth[k, j, : i + 1].astype(int)
    assert line[0] == 0
    assert line[i] * 0.25 > 0.6 * 28  # the skull base lies 28 mm below the middle of the full-sized phantom
    assert (np.diff(line[line > 0]) >= 0).all()


def test_the_falx_lies_in_the_midline_and_the_tentorium_below_the_cerebrum(anatomy):
    middle = anatomy.shape_kji[2] / 2
    falx, tentorium = anatomy.points["falx"], anatomy.points["tentorium"]
    assert np.abs(falx[:, 2] - middle).max() <= 4
    assert abs((falx[:, 2] - middle).mean()) < 1
    assert tentorium[:, 0].max() < anatomy.brain_center_kji[0]
    assert falx[:, 0].mean() > anatomy.brain_center_kji[0]


def test_growing_the_brain_outwards_leaves_less_csf_over_the_convexity_and_nothing_outside(anatomy):
    shallow = (anatomy.depth > 6) & (anatomy.depth < 14)
    before = (anatomy.tissue[shallow] == Tissue.CSF).mean()
    after = (anatomy.tissue_full[shallow] == Tissue.CSF).mean()
    assert after < before
    changed = anatomy.tissue != anatomy.tissue_full
    assert (anatomy.depth[changed] > 0).all()


def test_places_of_lesions_lie_in_the_tissue_they_name(anatomy):
    def tissue_at(name):
        return anatomy.tissue[tuple(anatomy.points[name].astype(int).T)]

    assert set(tissue_at("lobar")) == {Tissue.WHITE}
    assert set(tissue_at("sulcus")) == {Tissue.CSF}
    assert set(tissue_at("ventricle")) == {Tissue.VENTRICLE}
    assert set(tissue_at("surface")) <= set(BRAIN_TISSUES)


def test_a_map_in_another_orientation_gives_the_same_head(tmp_path, anatomy):
    labels = phantom_labels(0.6)
    image = sitk.GetImageFromArray(labels)
    turned = sitk.DICOMOrient(image, "RIA")
    sitk.WriteImage(turned, str(tmp_path / "head.nii.gz"))
    loaded = load_anatomy(tmp_path / "head.nii.gz", cache_dir=tmp_path / "cache")
    assert np.array_equal(loaded.tissue, anatomy.tissue)
    assert len(list((tmp_path / "cache").glob("anatomy-*.npz"))) == 1


def test_the_disk_cache_gives_the_same_fields(tmp_path):
    from NeuroTriageLib.simulation.anatomy import _read_cache, _write_cache

    anatomy = phantom_anatomy(0.6)
    _write_cache(anatomy, tmp_path / "a.npz")
    again = _read_cache(tmp_path / "a.npz")
    assert again.name == anatomy.name
    assert np.array_equal(again.falx_distance, anatomy.falx_distance)
    assert again.points.keys() == anatomy.points.keys()
    assert not list(tmp_path.glob("*.tmp.npz"))


def test_a_map_without_brain_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError):
        anatomy_from_labels(np.zeros((20, 20, 20), dtype=np.int32), "empty")
    with pytest.raises(InputError):
        load_anatomy(tmp_path / "nothing.nii.gz")


def test_the_plain_phantom_ct_is_a_head_with_skull_and_brain():
    volume = phantom_head_ct()
    hu = volume.array_kji
    assert hu.dtype == np.int16
    assert (hu > 500).mean() > 0.02
    assert ((hu > 15) & (hu < 55)).mean() > 0.1
    assert volume.grid.is_regular
