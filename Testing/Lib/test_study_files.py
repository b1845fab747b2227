"""Whose exam a volume is: the stack of its own series on disk, also where a series holds several."""

from __future__ import annotations

from dataclasses import replace

from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.study_files import source_of_volume
from Testing.Lib.io.dicom_builder import CtStack, axial, slices, write


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
