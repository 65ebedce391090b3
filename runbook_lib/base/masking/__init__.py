"""What gives a secret away, one way a file; `redact.py` puts them in order.

Its shape: `tokens`, `kinds`, `sessions`, `clients`, `codes`; its looks: `drawn`; the name before it: `names` (what
may be around such a name: `tails`, `suffixed`, `tongues`); a name above it: `nested`, `fields`; a name apart from it:
`pairs`, `whole`; a sentence: `said`; a user beside it: `logins`; a header: `tables`; an option of a program:
`commands`, `words`; a language: `sql`, `kubernetes`; an address: `addresses`; that it is known: `forms`.

Where it stands: in texts within the text (`written`), across lines (`lines`), whatever ends or begins these (`edges`,
`ends`, `fronts`) or hides their letters (`unseen`). What is none: hashes, account ids, run ids, counts of LLM tokens,
ARNs (`arns`), places (`places`).
"""
