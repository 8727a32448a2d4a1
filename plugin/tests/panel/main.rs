//! The panel without a window: what a click and a key ask for, and what each state looks like.

mod clicks;
mod keyboard;
mod snapshots;
mod stage;
