//! Which keys the panel uses and which go to the host.
//!
//! A DAW plays and stops with Space, so Space belongs to the host unless a text field has focus: the panel removes it
//! from its own input before any widget sees it, and only Enter presses a focused button. Every action has a key of its own
//! ([`actions`](super::actions)), which works while a widget has the focus. Every other key that the panel does not use
//! goes to the host too. [`KeyUse`] tells the editor which keys to keep.

use super::actions::SHORTCUTS;
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

/// The keys that the panel uses while one of its widgets has the focus: [`NAVIGATION`], and those of the actions.
pub fn navigation() -> impl Iterator<Item = Key> {
    NAVIGATION.into_iter().chain(SHORTCUTS.iter().map(|shortcut| shortcut.key))
}

/// The keys that the panel uses at the moment. Ask after each [`show`](super::show).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// None: nothing has focus.
    Nothing,
    /// Those of [`navigation`]: a button, a slider or the timeline has focus.
    Navigation,
    /// All, Space too: a text field has focus.
    Everything,
}

/// The keys that the panel uses now, which depends on what has focus.
pub fn key_use(context: &Context) -> KeyUse {
    if context.text_edit_focused() {
        KeyUse::Everything
    } else if context.egui_wants_keyboard_input() {
        KeyUse::Navigation
    } else {
        KeyUse::Nothing
    }
}

/// Removes Space from this frame's input unless a text field has focus, so that one press never both presses a button
/// here and starts the transport in the host.
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
