"""Fitting models on a history: pure functions of arrays, with numpy and scipy."""
