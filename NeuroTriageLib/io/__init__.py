"""Readers and writers of images and model packs: headers first, pixels when asked for."""
