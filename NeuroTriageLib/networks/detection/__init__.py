"""The parts of a region-based detector in plain torch: boxes, anchors, suppression, pooling, proposals, heads."""
