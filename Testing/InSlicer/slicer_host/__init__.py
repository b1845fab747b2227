"""What tests ask of their host, given by Slicer itself: the same names as Testing/Host/slicer_host, nothing stood in.

CTest runs ``Slicer --testing --python-script Testing/InSlicer/run_scene.py SCENE`` for the scenes in CMakeLists.txt.
"""
