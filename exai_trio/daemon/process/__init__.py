"""The daemon as a process of the system: the home that it holds, and its child."""
