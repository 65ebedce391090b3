"""What axe-core finds amiss on a page that a browser has open; `AXE_SCRIPT` was put into it."""

from __future__ import annotations

from typing import Any


def axe(page: Any, *, only: tuple[str, ...] = (), but: tuple[str, ...] = (), within: str = "html") -> list[str]:
    """What axe-core complains of: rule, and the first places."""
    rules: dict[str, Any] = {"rules": {rule: {"enabled": False} for rule in but}}
    rules |= {"runOnly": list(only)} if only else {}
    found = page.evaluate(
        "([within, rules]) => axe.run(within, rules)", [within, {"resultTypes": ["violations"], **rules}]
    )
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found["violations"]]


def contrast(page: Any) -> list[str]:
    """What cannot be read, of each kind of text that the page has: one example of each colour on each ground."""
    page.evaluate("""() => {
        const seen = new Set();
        for (const one of document.querySelectorAll('body *')) {
            one.removeAttribute('data-example');
            if (!one.checkVisibility() || ![...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()))
                continue;
            const style = getComputedStyle(one), kind = [style.color, style.fontSize, style.fontWeight];
            for (let up = one; up; up = up.parentElement) {
                const ground = getComputedStyle(up);
                kind.push(ground.opacity, ground.backgroundColor == 'rgba(0, 0, 0, 0)' ? '' : ground.backgroundColor);
            }
            const name = kind.filter(part => part && part != '1').join();
            if (!seen.has(name)) { seen.add(name); one.setAttribute('data-example', ''); }
        }
    }""")
    return axe(page, only=("color-contrast",), within="[data-example]")
