"""Windows: the ends and what lies beyond."""

import numpy as np

from NeuroTriageLib.preprocessing.windows import apply_window


def test_the_window_maps_its_ends_to_0_and_1_and_clips_beyond():
    hu = np.array([-1000, -20, 50, 120, 3000], dtype=np.int16)
    assert np.allclose(apply_window(hu, (-20.0, 120.0)), [0, 0, 0.5, 1, 1])
    assert apply_window(hu, (-20.0, 120.0)).dtype == np.float32
