//! The font of all plots, built in: a machine without fonts draws the same picture.

use std::sync::Once;

/// Registers the built-in font under the name `sans-serif`. Cheap after the first call.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The only failure is an unreadable font file, and this one is part of a pinned crate.
        let _ = plotters::style::register_font(
            "sans-serif",
            plotters::style::FontStyle::Normal,
            dejavu::sans::regular(),
        );
    });
}
