"""What this process has changed on this machine, beside its own record: a command that ends in an error says so, and
not that nothing was changed. Light: the kill switch ends by it too.
"""

from __future__ import annotations

done: dict[str, str] = {}
"""By what is being done, how far it has come, as part of a sentence. Files that are written all or none say nothing."""
