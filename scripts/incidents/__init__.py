"""Judges how faults are told apart."""
