"""The text of a file by which agents use `exai ask`: for those that read skills, and would rather have no tools' schemas. Pure."""

from typing import Final

SKILL: Final = """\
---
name: exai
description: Ask another model for a second opinion on code, a plan or a diff, with `exai ask` in the shell. Use it before risky changes, when stuck, and for reviews.
---

# A second opinion

    exai ask "QUESTION"                       # one answer, on stdout
    exai ask "review this" -f src -f a.py     # with files and folders
    git diff | exai ask "what can break?"     # with what is piped in
    exai ask -c "and with two threads?"       # goes on with the last conversation
    exai ask "QUESTION" -m MODEL              # `exai models` lists them
    exai ask "QUESTION" -o FILE               # the answer into a file
    exai ask "QUESTION" --json                # with model, tokens and the conversation's id

- Say what you want to know, what you have tried and what must stay as it is; the model sees only what you send.
- Send the files that matter with -f instead of pasting them. Files with secrets in them are refused.
- An answer can take minutes: let the command run.
- It is an opinion. Check it against the code before you act on it.
- Exit codes: 0 an answer, 1 failed, 2 wrong usage, 75 no daemon. `exai doctor` says what is wrong.
"""
