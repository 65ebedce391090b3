"""The changes of this process on this machine, beside its own record: a command that ends in an error lists them, and
does not say that nothing was changed. Light: the kill switch uses it too.
"""

from __future__ import annotations

done: dict[str, str] = {}
"""Action to its progress, as part of a sentence. Files that are written all or none are not listed."""
