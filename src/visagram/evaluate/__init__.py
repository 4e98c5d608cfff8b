"""Measuring expression models on labelled faces, and checking the data for it. Start in `run.py`."""
