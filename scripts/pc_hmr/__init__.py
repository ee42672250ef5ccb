"""What PC-HMR's mesh generator and calibration are trained and measured on."""
