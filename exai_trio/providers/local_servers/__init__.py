"""Model servers on this machine: where they may be, what they are, and which models with which windows they have."""
