"""Functions for tools: frames, session keys and announcements."""

from ._native import announcement, decode, encode, session_key
from .models import Frame

__all__ = ["Frame", "announcement", "decode", "encode", "session_key"]
