"""What a page may load and run, as a Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
import re

SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
REST = (
    b"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Requests go to this server only, and no text becomes HTML or a program."""


def policy_of(page: bytes) -> bytes:
    """Return a policy that allows the scripts and styles of a page, and nothing else.

    Args:
        page: HTML in UTF-8; its scripts and styles are in elements without attributes.

    Returns:
        The value of the header.
    """
    scripts, styles = _hashes(SCRIPT.findall(page)), _hashes(STYLE.findall(page))
    return b"default-src 'none'; script-src %b; style-src %b; %b" % (scripts, styles, REST)


def _hashes(texts: list[bytes]) -> bytes:
    hashes = [base64.b64encode(hashlib.sha256(text).digest()) for text in texts]
    return b" ".join(b"'sha256-%b'" % each for each in hashes) or b"'none'"
