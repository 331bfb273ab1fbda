"""What the tracer knows of source files: who calls whom, read out of their syntax trees in a process of their own."""
