"""Meters: what is counted and measured of a daemon, under one name everywhere."""
