//! The plugin's crate. It holds nothing yet: what it will play host to is [`mixing-buddy-core`](../mixing_buddy_core).
