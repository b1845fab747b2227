"""Studies on disk for an interface: whose exam a volume is, and what the user makes of a series of an MRI."""

from __future__ import annotations

from dataclasses import replace

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.study_files import inspect_studies, source_of_volume
from Testing.Lib.io.dicom_builder import CtStack, axial, slices, write
from Testing.Lib.mr_phantom import write_study


def test_a_volume_finds_its_own_stack_among_those_of_one_series(tmp_path):
    stack = axial()
    repeat = CtStack(
        stack.origins_lps_mm[:8], study_uid=stack.study_uid, series_uid=stack.series_uid, tags={"AcquisitionNumber": 2}
    )
    write(tmp_path / "first", slices(stack))
    write(tmp_path / "second", slices(repeat))
    with open_input(tmp_path) as (study,):
        volumes = [read_volume(series)[0] for series in study.series]
    assert [len(volume.sop_instance_uids) for volume in volumes] == [12, 8]
    for volume in volumes:
        turned = replace(volume, sop_instance_uids=volume.sop_instance_uids[::-1])  # as a scene may hold it
        source, own = source_of_volume([tmp_path], turned)
        assert source.series_instance_uid == volume.series_instance_uid
        assert own.sop_instance_uids == volume.sop_instance_uids


def test_the_series_of_an_mri_say_what_they_are_read_as_and_the_user_may_overrule_it(tmp_path):
    folder = write_study(tmp_path / "study")
    (study,) = inspect_studies([folder])
    assert study["reads"] == "MR" and {"FLAIR", "T1post"} <= set(study["roles"])
    uids = {name: item["series_instance_uid"] for item in study["series"] for name in item["read_as"]}
    assert set(uids) >= {"FLAIR", "ADC", "TRACE", "T1"}
    (overruled,) = inspect_studies([folder], {"FLAIR": uids["T1"], "ADC": "a series of another study"})
    read_as = {item["series_instance_uid"]: item["read_as"] for item in overruled["series"]}
    assert read_as[uids["T1"]] == ["FLAIR"] and read_as[uids["FLAIR"]] == [] and read_as[uids["ADC"]] == ["ADC"]


def test_a_head_ct_has_no_roles_to_give():
    (study,) = inspect_studies([sample_data_folder() / "HeadCtSample" / "dicom"], {"FLAIR": "1.2.3"})
    assert study["reads"] == "CT" and not study["roles"] and study["series"][0]["read_as"] == []


def test_a_role_that_does_not_exist_is_refused(tmp_path):
    folder = write_study(tmp_path / "study", ("FLAIR",))
    uid = inspect_studies([folder])[0]["series"][0]["series_instance_uid"]
    with pytest.raises(ConfigError, match="FLAIRE"):
        inspect_studies([folder], {"FLAIRE": uid})
