"""The Slicer panel: slicer, qt, vtk, numpy and NeuroTriageLib.core. Never torch."""
