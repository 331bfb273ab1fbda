"""Alerts: rules over the figures, when they fire and clear, and who hears of it."""
