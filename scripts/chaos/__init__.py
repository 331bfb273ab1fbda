"""Chaos, fuzzing and stress on real processes: the parts. The programs are `chaos.py`, `fuzz.py` and `stress.py`."""
