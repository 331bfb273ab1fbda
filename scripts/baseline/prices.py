"""What a live run would cost, reckoned before anything is asked."""

import attrs


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


def estimate(chosen, runs):
    from exai_trio.providers.catalogue import load_catalogue

    prices = {model.name: model.price for model in load_catalogue().models}
    requests, cost, unpriced, currencies = 0, 0.0, set(), set()
    for one in (one for one in chosen if one.asks_model):
        times = one.warm_up + (runs or one.runs)
        requests += times * sum(one.requests.values())
        for name in models_of(one.arguments):
            price = prices.get(name)
            if price is None:
                unpriced.add(name)
                continue
            currencies.add(getattr(price, "currency", "USD"))
            cost += times * price.of(*one.tokens, 0)
    return Estimate(requests, cost, "/".join(sorted(currencies)) or "USD", tuple(sorted(unpriced)))


def models_of(arguments):
    """Those that the arguments name; else the tool's own choice."""
    named = [entry["model"] for entry in arguments.get("models", ())] or [arguments.get("model")]
    return [name or "the default model" for name in named]
