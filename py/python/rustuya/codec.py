"""Frames, session keys and announcements, for people who write tools."""

from ._native import announcement, decode, encode, session_key
from .models import Frame

__all__ = ["Frame", "announcement", "decode", "encode", "session_key"]
