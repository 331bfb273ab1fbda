"""What is the matter with a provider's key, as far as it can be seen, and what to do. Pure. Nothing here repeats a key."""

from typing import Final

GLM, KIMI = "GLM_API_KEY", "KIMI_API_KEY"
TITLES: Final = {GLM: "GLM (Z.ai)", KIMI: "Kimi (Moonshot)"}
URLS: Final = {GLM: "GLM_API_URL", KIMI: "KIMI_API_URL"}
# The services' own addresses for each region, which a key of the other region is refused at.
_CHINA: Final = {
    GLM: ("bigmodel.cn", "https://open.bigmodel.cn/api/paas/v4"),
    KIMI: ("moonshot.cn", "https://api.moonshot.cn/v1"),
}
# The same for the rest of the world.
_WORLD: Final = {GLM: "https://api.z.ai/api/paas/v4", KIMI: "https://api.moonshot.ai/v1"}
# Keys of the coding plan are taken here alone.
_KIMI_CODING: Final = "https://api.kimi.com/coding/v1"
_EMPTY: Final = "recharge"


def fault_of(name: str, key: str) -> str:
    """Why this cannot be a key of that provider; "" if nothing speaks against it."""
    if not key:
        return f"no key came; `exai config set {name}` asks for it again"
    if any(letter.isspace() for letter in key):
        return "the key has blanks in it, which no key has: copy it again, without what stands around it"
    if not all("!" <= letter <= "~" for letter in key):
        return "the key has letters in it that no key has: copy it again"
    if name == GLM and key.startswith("sk-"):
        return f"that looks like a key for Kimi, not for GLM: `exai config set {KIMI}`, then `exai init`"
    return ""


def advice(name: str, key: str, url: str, fault: str) -> str:
    """What to do after the provider has refused the key with that fault; "" where the fault says it all."""
    if f"check {name}" in fault:
        return _after_refusal(name, key, url)
    if _EMPTY in fault and name == GLM and "/coding/" not in url:
        coding = url.replace("/api/paas/", "/api/coding/paas/")
        return f"a key of a coding plan works at another address only: `exai config set {URLS[name]} {coding}`, then `exai init`"
    return ""


def _after_refusal(name: str, key: str, url: str) -> str:
    if name == KIMI and key.startswith("sk-kimi-") and "/coding/" not in url:
        return (
            "it looks like a key of Kimi's coding plan, which works at another address only:"
            f" `exai config set {URLS[name]} {_KIMI_CODING}`, then `exai init`"
        )
    mark, china = _CHINA[name]
    other, where = (_WORLD[name], "outside of China") if mark in url else (china, "in China")
    return (
        f"a key made {where} works at another address only: `exai config set {URLS[name]} {other}`, then `exai init`;"
        f" for another key, `exai config set {name}`"
    )
