"""A griffe extension: docstrings as the site's Markdown reads them.

The sources say ``Example:`` (one) and, as for Sphinx, ``:class:`X```. Named in
mkdocs.yml.
"""

import re
from typing import Any

import griffe

_CHANGES = (
    # The title that griffe knows; of any other it makes a paragraph.
    (re.compile(r"^Example:[ ]*$", re.MULTILINE), "Examples:"),
    (re.compile(r":(?:class|func|meth|mod|attr):`~?([^`]+)`"), r"`\1`"),
)


class DocstringsForSite(griffe.Extension):
    """Rewrites every docstring once, before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring is not None:
            text = obj.docstring.value
            for pattern, replacement in _CHANGES:
                text = pattern.sub(replacement, text)
            obj.docstring.value = text
