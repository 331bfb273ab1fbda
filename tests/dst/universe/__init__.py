"""A universe for the simulation: one daemon, one editor's shim, a network and a disk, under one clock and one seed."""
