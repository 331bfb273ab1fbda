"""Texts that look like secrets, in any file of the repository."""

import math
import re
from collections import Counter
from hashlib import sha256

SHAPES = re.compile(
    r"""(?x)
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | \b(AKIA|ASIA)[0-9A-Z]{16}\b
    | \bgh[pousr]_[A-Za-z0-9]{36,}\b
    | \bgithub_pat_\w{40,}
    | \bglpat-[\w-]{20,}
    | \bxox[abprs]-[\w-]{20,}
    | \bsk-(ant-|proj-|or-)?[A-Za-z0-9_-]{24,}
    | \bAIza[\w-]{35}\b
    | \bsb(p|_secret)_[\w-]{20,}
    | \beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}
    | \b[0-9a-f]{32}\.[A-Za-z0-9]{16}\b
    | \b(postgres(ql)?|redis|mysql|mongodb|amqps?|https?)://[^\s:/@{}<>$"']+:[^\s@/{}<>$*"']{6,}@
    """
)
GIVEN = re.compile(
    r"""(?ix) (password|passwd|secret|token|api_?key|private_?key|credential)\w* ["']? \s*[:=]\s* ["'] (?P<value>[^"'\s{}$<>]{16,}) ["']"""
)
TELLING_BITS = 3.5  # a letter; words of a language and made-up keys of tests have less


def find(text):
    """Line, fingerprint and message of each; what is shown of a secret is its beginning."""
    for number, line in enumerate(text.splitlines(), 1):
        match = SHAPES.search(line)
        shown = match[0] if match else _given(line)
        if shown and _varied(shown):
            mark = sha256(shown.encode()).hexdigest()[:12]
            yield number, mark, f"{shown[:6]}… looks like a secret; if it is made up, note {mark}"


def _given(line):
    match = GIVEN.search(line)
    value = match["value"] if match else ""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return value if mixed and bits(value) >= TELLING_BITS else ""


def _varied(text):
    """Whether it is more than a few signs over and over, as examples are."""
    return text.startswith("-----") or "://" in text or bits(text) >= TELLING_BITS - 0.3


def bits(text):
    """Shannon's entropy of one sign of this text."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
