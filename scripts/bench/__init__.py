"""What `scripts/bench_relay.py` measures, and the floor that it measures against."""
