//! The panel without a window: what clicks and keys do, and what each state looks like.

mod clicks;
mod keyboard;
mod models;
mod snapshots;
mod stage;
