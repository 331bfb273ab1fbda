"""`exai incidents` and `exai alerts`: what went wrong and what is alarming, from the store, whether or not a daemon runs."""
