"""`exai config`: the settings in force, and what an editor needs to start the shim."""
