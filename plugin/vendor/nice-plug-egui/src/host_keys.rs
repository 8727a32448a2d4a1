//! Keys that the host delivers in place of, or along with, the window system.
//!
//! A host that looks at every key for its own shortcuts (REAPER) calls the plugin with the key
//! first. While a text field has the focus, the key is taken and becomes the same egui events that
//! the window would have made of it. Where the window system delivers the same press as well, one
//! of the two is dropped.

use nice_plug_core::editor::{HostKey, Modifiers, VirtualKeyCode};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The same press arrives on both paths within this time.
const SAME_PRESS: Duration = Duration::from_millis(100);

/// What an event is, as far as it matters for telling whether two are the same press.
#[derive(Debug, Clone, PartialEq)]
enum Press {
    Text(String),
    Key(egui::Key, bool),
}

impl Press {
    fn of(event: &egui::Event) -> Option<Self> {
        match event {
            egui::Event::Text(text) => Some(Press::Text(text.clone())),
            egui::Event::Key { key, pressed, .. } => Some(Press::Key(*key, *pressed)),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Inner {
    /// From the host, for the next frame.
    waiting: Vec<egui::Event>,
    /// Presses that came on one path and have not come on the other.
    from_host: VecDeque<(Instant, Press)>,
    from_window: VecDeque<(Instant, Press)>,
}

/// Removes a press from those that came on the other path. Returns whether it was there.
fn take(presses: &mut VecDeque<(Instant, Press)>, press: &Press, now: Instant) -> bool {
    presses.retain(|(when, _)| now.duration_since(*when) < SAME_PRESS);
    let position = presses.iter().position(|(_, earlier)| earlier == press);
    position.and_then(|index| presses.remove(index)).is_some()
}

impl Inner {
    /// Merges what waits into the events of the window.
    fn merge(&mut self, events: &mut Vec<egui::Event>, now: Instant) {
        events.retain(|event| {
            let Some(press) = Press::of(event) else {
                return true;
            };
            if take(&mut self.from_host, &press, now) {
                return false;
            }
            self.from_window.push_back((now, press));
            true
        });
        for event in self.waiting.drain(..) {
            if let Some(press) = Press::of(&event) {
                if take(&mut self.from_window, &press, now) {
                    continue;
                }
                self.from_host.push_back((now, press));
            }
            events.push(event);
        }
    }
}

/// Shared by the editor's handle, which the host calls, and the window, which draws.
#[derive(Clone, Default)]
pub(crate) struct HostKeys {
    context: Arc<Mutex<Option<egui::Context>>>,
    inner: Arc<Mutex<Inner>>,
}

impl HostKeys {
    /// Connects it with the context of a window.
    pub(crate) fn attach(&self, context: &egui::Context) {
        *self.context.lock() = Some(context.clone());
        context.add_plugin(Hook(self.inner.clone()));
    }

    /// Takes a key from the host if a text field has the focus. Returns whether it was taken.
    pub(crate) fn offer(&self, key: HostKey, is_down: bool, modifiers: Modifiers) -> bool {
        let Some(context) = self.context.lock().clone() else {
            return false;
        };
        if !context.text_edit_focused() {
            return false;
        }
        match events(key, is_down, modifiers) {
            Some(events) => {
                self.inner.lock().waiting.extend(events);
                true
            }
            None => false,
        }
    }
}

/// Brings the host's keys into the input of a frame.
struct Hook(Arc<Mutex<Inner>>);

impl egui::Plugin for Hook {
    fn debug_name(&self) -> &'static str {
        "keys of the host"
    }

    fn input_hook(&mut self, _context: &egui::Context, input: &mut egui::RawInput) {
        self.0.lock().merge(&mut input.events, Instant::now());
    }
}

/// The events that a window would have made of a key; none if the key is not for a text field.
fn events(key: HostKey, is_down: bool, modifiers: Modifiers) -> Option<Vec<egui::Event>> {
    // Shortcuts with these go the usual way: only the window can reach the clipboard.
    if modifiers.intersects(Modifiers::COMMAND | Modifiers::CONTROL) {
        return None;
    }
    let mut events = Vec::new();
    let code = key.virtual_key.and_then(egui_key).or_else(|| {
        key.character.and_then(|character| egui::Key::from_name(character.to_uppercase().to_string().as_str()))
    });
    if let Some(code) = code {
        events.push(egui::Event::Key {
            key: code,
            physical_key: None,
            pressed: is_down,
            repeat: false,
            modifiers: egui::Modifiers {
                alt: modifiers.contains(Modifiers::ALT),
                shift: modifiers.contains(Modifiers::SHIFT),
                ..egui::Modifiers::NONE
            },
        });
    }
    let character = key.character.or_else(|| key.virtual_key.and_then(character_of));
    if let Some(character) = character.filter(|_| is_down) {
        events.push(egui::Event::Text(character.to_string()));
    }
    // The release of a character may make no event, but it is ours.
    (code.is_some() || character.is_some()).then_some(events)
}

/// The character of a virtual key, for hosts that do not give one.
fn character_of(key: VirtualKeyCode) -> Option<char> {
    Some(match key {
        VirtualKeyCode::Space => ' ',
        VirtualKeyCode::Numpad0 => '0',
        VirtualKeyCode::Numpad1 => '1',
        VirtualKeyCode::Numpad2 => '2',
        VirtualKeyCode::Numpad3 => '3',
        VirtualKeyCode::Numpad4 => '4',
        VirtualKeyCode::Numpad5 => '5',
        VirtualKeyCode::Numpad6 => '6',
        VirtualKeyCode::Numpad7 => '7',
        VirtualKeyCode::Numpad8 => '8',
        VirtualKeyCode::Numpad9 => '9',
        VirtualKeyCode::NumpadMultiply => '*',
        VirtualKeyCode::NumpadAdd => '+',
        VirtualKeyCode::NumpadSubtract => '-',
        VirtualKeyCode::NumpadDecimal => '.',
        VirtualKeyCode::NumpadDivide => '/',
        VirtualKeyCode::Equals => '=',
        _ => return None,
    })
}

/// The keys that a text field and the movement of the focus know.
fn egui_key(key: VirtualKeyCode) -> Option<egui::Key> {
    Some(match key {
        VirtualKeyCode::Backspace => egui::Key::Backspace,
        VirtualKeyCode::Tab => egui::Key::Tab,
        VirtualKeyCode::Return | VirtualKeyCode::NumpadEnter => egui::Key::Enter,
        VirtualKeyCode::Escape => egui::Key::Escape,
        VirtualKeyCode::Space => egui::Key::Space,
        VirtualKeyCode::End => egui::Key::End,
        VirtualKeyCode::Home => egui::Key::Home,
        VirtualKeyCode::ArrowLeft => egui::Key::ArrowLeft,
        VirtualKeyCode::ArrowUp => egui::Key::ArrowUp,
        VirtualKeyCode::ArrowRight => egui::Key::ArrowRight,
        VirtualKeyCode::ArrowDown => egui::Key::ArrowDown,
        VirtualKeyCode::PageUp => egui::Key::PageUp,
        VirtualKeyCode::PageDown => egui::Key::PageDown,
        VirtualKeyCode::Insert => egui::Key::Insert,
        VirtualKeyCode::Delete => egui::Key::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(character: &str) -> egui::Event {
        egui::Event::Text(character.to_string())
    }

    fn merged(inner: &mut Inner, window: &[&str], host: &[&str], now: Instant) -> Vec<egui::Event> {
        let mut events: Vec<egui::Event> = window.iter().map(|character| text(character)).collect();
        inner.waiting.extend(host.iter().map(|character| text(character)));
        inner.merge(&mut events, now);
        events
    }

    #[test]
    fn a_press_on_both_paths_counts_once_and_two_presses_twice() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        let later = |ms| now + Duration::from_millis(ms);
        assert_eq!(merged(&mut inner, &[], &["l"], now), [text("l")]);
        assert_eq!(merged(&mut inner, &["l"], &[], later(20)), []);
        assert_eq!(merged(&mut inner, &["l"], &["l"], later(40)), [text("l")]);
        assert_eq!(merged(&mut inner, &["o"], &[], later(60)), [text("o")]);
        assert_eq!(merged(&mut inner, &[], &["o"], later(80)), []);
        // The host alone, and the window alone.
        assert_eq!(merged(&mut inner, &[], &["a", "a"], later(100)), [text("a"), text("a")]);
        let mut inner = Inner::default();
        assert_eq!(merged(&mut inner, &["b", "b"], &[], later(120)), [text("b"), text("b")]);
        assert_eq!(merged(&mut inner, &["b"], &[], later(500)), [text("b")]);
        assert_eq!(merged(&mut inner, &[], &["b"], later(700)), [text("b")]);
    }

    #[test]
    fn shortcuts_are_left_to_the_window() {
        let key = HostKey { virtual_key: None, character: Some('v') };
        assert_eq!(events(key, true, Modifiers::COMMAND), None);
        let events_of = |key, is_down| events(key, is_down, Modifiers::empty()).unwrap_or_default();
        assert!(events_of(key, true).contains(&text("v")));
        let space = HostKey { virtual_key: Some(VirtualKeyCode::Space), character: None };
        assert!(events_of(space, true).contains(&text(" ")));
        assert!(!events_of(space, false).contains(&text(" ")));
        let umlaut = HostKey { virtual_key: None, character: Some('ä') };
        assert_eq!(events(umlaut, false, Modifiers::empty()), Some(Vec::new()));
        let play = HostKey { virtual_key: Some(VirtualKeyCode::MediaPlay), character: None };
        assert_eq!(events(play, true, Modifiers::empty()), None);
    }
}
