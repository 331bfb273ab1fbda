"""What a live run would cost, reckoned before anything is asked, with the prices that the catalogue and EXAI_PROVIDERS_FILE know."""

import os
from pathlib import Path

import attrs
import trio

from .wrong import Wrong


@attrs.frozen
class Estimate:
    """`unpriced` are the models whose price is not known."""

    requests: int
    cost: float
    currency: str
    unpriced: tuple[str, ...]

    def told(self):
        rest = f"; the price of {', '.join(self.unpriced)} is not known" if self.unpriced else ""
        return f"live: about {self.requests} requests, about {self.cost:.4f} {self.currency}{rest}"


def check_budget(chosen, runs, asked):
    """Say what it will cost; raises Wrong if that is not allowed, or cannot be told and that is not allowed."""
    found = estimate(chosen, runs)
    print(found.told(), flush=True)
    if asked.budget is None:
        raise Wrong("--live: needs --budget MONEY, in the currency of the catalogue")
    if found.cost > asked.budget:
        raise Wrong(
            f"--budget: {asked.budget:g} is less than this would cost; allowed: {found.cost:.4f} or more"
        )
    if found.unpriced and not asked.unpriced:
        raise Wrong(
            f"--live: {found.unpriced[0]}: price is not known; allowed: a price in EXAI_PROVIDERS_FILE, or --unpriced"
        )


def estimate(chosen, runs):
    prices = known_prices()
    requests, cost, unpriced, currencies = 0, 0.0, set(), set()
    for one in (one for one in chosen if one.asks_model):
        times = one.warm_up + (runs or one.runs)
        requests += times * sum(one.requests.values())
        for name in models_of(one.arguments):
            price = prices.get(name)
            if price is None:
                unpriced.add(name)
                continue
            currencies.add(price.currency)
            cost += times * price.of(*one.tokens, 0)
    return Estimate(requests, cost, "/".join(sorted(currencies)) or "USD", tuple(sorted(unpriced)))


def known_prices():
    from exai_trio.config import Config
    from exai_trio.providers.catalogue import load_catalogue
    from exai_trio.providers.read_providers import read_further

    catalogue, named = load_catalogue(), os.environ.get("EXAI_PROVIDERS_FILE")
    config = Config(providers_file=Path(named) if named else None)
    further = trio.run(read_further, config, catalogue, {})
    return {model.name: model.price for model in catalogue.with_models(further.models).models}


def models_of(arguments):
    """Those that the arguments name; else the tool's own choice."""
    named = [entry["model"] for entry in arguments.get("models", ())] or [arguments.get("model")]
    return [name or "the default model" for name in named]
