//! End-to-end checks of what the repository ships; see `tests/tests`.
