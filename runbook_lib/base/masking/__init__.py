"""What gives a secret away, one way a file; `redact.py` puts them in order.

Its shape: `tokens`, `kinds`, `sessions`, `clients`, `declared`; its looks: `drawn`, which also judges how a value
looks for the others; the name before it: `names` (of what they consist: `vocabulary`), `assigned`; a name above it:
`nested`, `fields`; a name apart from it: `pairs`, `behind`, `blocks`; a sentence: `said`; a user beside it: `logins`;
a header: `tables`; a name in its row: `grids`, `aligned` (what is secret in it: `settings`); an option of a program:
`commands`, `words`; a language: `sql`, `kubernetes`; that it is known: `known`.

Where it stands: in texts within the text (`written`), across lines (`lines`), whatever ends or begins these
(`edges`, `ends`, `fronts`) or hides their letters (`unseen`). What is none: hashes, account ids, run ids, counts of
LLM tokens, ARNs and places (`places`).
"""
