"""What `exai doctor` looks at of the model providers: who is set up, and with --online who takes our key."""

from collections.abc import Iterator

from exai_trio.commands.checking.findings import Finding, Seen
from exai_trio.errors import ArgumentError
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.providers_file import parse_providers


def providers(seen: Seen) -> Iterator[Finding]:
    """A daemon that runs knows better than our own settings what it can ask."""
    config = seen.config
    if seen.daemon.tells_providers:
        yield _of_daemon(seen)
        return
    if seen.is_client_only:
        return
    if config.simulate:
        yield Finding.warn(
            "EXAI_SIMULATE is true: answers are simulated",
            "set GLM_API_KEY or KIMI_API_KEY, and unset EXAI_SIMULATE, for real ones",
        )
    elif not (config.glm_api_key or config.kimi_api_key or config.providers_file):
        yield Finding.fault(
            "no provider has a key",
            "set GLM_API_KEY or KIMI_API_KEY, or EXAI_SIMULATE=true to try EXAI without one",
        )
    else:
        names = [
            name
            for name, key in (("GLM", config.glm_api_key), ("Kimi", config.kimi_api_key))
            if key
        ]
        yield Finding.ok(f"keys: {', '.join(names) or 'those of EXAI_PROVIDERS_FILE'}")


def providers_file(seen: Seen) -> Iterator[Finding]:
    config = seen.config
    if config.providers_file is None or seen.is_client_only:
        return
    try:
        text = config.providers_file.read_text(encoding="utf-8")
        further = parse_providers(
            text,
            load_catalogue(),
            config.provider_keys,
            config.stream_idle_s,
            config.withheld_keys,
        )
    except (OSError, UnicodeError) as fault:
        yield Finding.fault(
            f"EXAI_PROVIDERS_FILE cannot be read: {fault}", "correct the path, or unset it"
        )
    except ArgumentError as fault:
        yield Finding.fault(str(fault), f"correct {config.providers_file}")
    else:
        yield Finding.ok(f"EXAI_PROVIDERS_FILE {config.providers_file} can be used")
        for endpoint in further.endpoints:
            if not endpoint.configured:
                what = f"{endpoint.name} of EXAI_PROVIDERS_FILE has no key"
                remedy = f"{endpoint.remedy} (its name must end in _KEY or _TOKEN)"
                yield Finding.warn(what, remedy)


def _of_daemon(seen: Seen) -> Finding:
    ready = [provider for provider in seen.daemon.providers if provider.get("configured")]
    if not ready:
        return Finding.fault(
            "the daemon has no provider: every question fails",
            "set GLM_API_KEY or KIMI_API_KEY where it is started, then `exai restart`",
        )
    names = ", ".join(str(provider.get("title") or provider.get("name")) for provider in ready)
    if all(provider.get("simulated") for provider in ready):
        return Finding.warn(
            f"the daemon asks {names} in simulation: its answers are no model's",
            "start it without EXAI_SIMULATE, and with a key, for real ones",
        )
    return Finding.ok(f"the daemon can ask {names}")


def online(seen: Seen) -> Iterator[Finding]:
    """What came of asking each of them."""
    for trial in seen.trials:
        if trial.fault is None:
            yield Finding.ok(f"{trial.provider} answers ({trial.model}, {trial.seconds:.1f} s)")
        else:
            yield Finding.fault(
                f"{trial.provider} does not answer ({trial.model}): {trial.fault}",
                _remedy(trial.provider, trial.code),
            )


def _remedy(provider: str, code: str) -> str:
    variable = {"glm": "GLM_API_KEY", "kimi": "KIMI_API_KEY"}.get(provider, "its key")
    if code == "TIMEOUT":
        return f"try again; if it stays so, look at the address of {provider} in `exai config`"
    return f"correct {variable} where the daemon is started, then `exai restart`"
