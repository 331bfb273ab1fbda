"""`exai serve` that is never tired of refusing, so that the time of a refusal can be measured. Run as a child."""

from exai_trio.cli import main
from exai_trio.daemon.connections import rate_limits
from exai_trio.resilience.rate import Rate

if __name__ == "__main__":
    rate_limits.REFUSALS = Rate(per_s=1e9, burst=1e9)
    raise SystemExit(main(["serve"]))
