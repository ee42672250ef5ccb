"""Training and evaluation data of PC-HMR's calibration."""
