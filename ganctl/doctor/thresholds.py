"""Numbers that the rules compare with. Set on the calibration seeds of benchmarks/doctor_harness.py, then left alone."""
