//! Which keys the panel keeps and which it leaves to the host.
//!
//! A DAW plays and stops with Space, so Space is the host's unless a text field has focus: the panel takes it out of
//! its own input before any widget sees it, and a focused button is pressed with Enter alone. Everything else that
//! the panel has no use for is the host's too; [`KeyUse`] tells the editor what to keep.

use egui::{Context, Event, Key};

/// Keys that move within the panel while one of its widgets has focus.
pub const NAVIGATION: [Key; 9] = [
    Key::Tab,
    Key::Enter,
    Key::Escape,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::Home,
    Key::End,
];

/// Keys that the panel has use for at the moment. Ask after each [`show`](super::show).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// None: nothing has focus.
    Nothing,
    /// Those of [`NAVIGATION`]: a button, a slider or the timeline has focus.
    Navigation,
    /// All, Space too: a text field has focus.
    Everything,
}

/// What the panel has use for, by what has focus.
pub fn key_use(context: &Context) -> KeyUse {
    if context.text_edit_focused() {
        KeyUse::Everything
    } else if context.egui_wants_keyboard_input() {
        KeyUse::Navigation
    } else {
        KeyUse::Nothing
    }
}

/// Takes Space out of this frame's input unless a text field has focus, so that it never presses a button here
/// and starts the transport there.
pub(super) fn leave_space_to_host(context: &Context) {
    if context.text_edit_focused() {
        return;
    }
    context.input_mut(|input| {
        input.events.retain(|event| match event {
            Event::Key { key, .. } => *key != Key::Space,
            Event::Text(text) => text != " ",
            _ => true,
        });
    });
}
