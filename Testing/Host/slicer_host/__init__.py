"""A host for the Slicer module outside Slicer: the real scene (slicer-core) and PySide6 made to behave like PythonQt.

One process starts one scene and ends with os._exit. What it cannot catch: ownership crashes of PythonQt, the real
layout manager and widgets, CMake packaging, module discovery.
"""
