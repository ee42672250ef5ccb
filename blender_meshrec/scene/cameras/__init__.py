"""Cameras, the footage behind them, and the floor below."""
