"""The type of JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

Json: TypeAlias = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]
"""Value of a DP, or a payload."""
