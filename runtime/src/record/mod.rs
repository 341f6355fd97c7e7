//! Records of a conversation, and their replay.
