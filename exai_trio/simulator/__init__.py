"""A stand-in for the GLM and Kimi services, run as its own process."""
