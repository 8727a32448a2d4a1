//! What the user can do in the panel, each with a key. Buttons and keys do the same: `perform`.
//!
//! The keys work while the panel has the keyboard and no text field has the focus; otherwise they belong to the host.

use super::controls::Controls;
use super::path_box::{PathBox, Purpose};
use super::state::{Focus, PanelState};
use super::{clipboard, hear, notices, song};
use crate::library::LibraryCommand;
use crate::settings::{Hop, SCALES_PERCENT, Theme};
use crate::view::{Activity, Command, Undoable, View};
use clipboard::Form;
use egui::{Context, Event, Key};
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::{PerStem, Stem};

/// Step of the confidence threshold by key.
const THRESHOLD_STEP: f32 = 0.05;
/// The threshold counts as the model's own if it differs by less than this: half a step of the slider.
pub(super) const SAME_THRESHOLD: f32 = 0.005;

/// Something that the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show or hide the keys.
    Keys,
    /// Copy the advice as text.
    Copy,
    /// Copy the advice as Markdown.
    CopyMarkdown,
    /// Save the report.
    Report,
    /// Show or hide theme and size.
    Look,
    /// The other theme.
    Theme,
    /// The next size.
    Size,
    /// Turn the bypass on or off.
    Bypass,
    /// Show or hide the models.
    Model,
    /// Use a model file.
    ModelFile,
    /// Fetch the large model, stop that, or use it.
    LargeModel,
    /// Use the built-in model.
    BuiltInModel,
    /// Dismiss the newest message.
    Dismiss,
    /// Show all messages or only the newest.
    Messages,
    /// Begin or end the audition.
    Hear,
    /// The original or the version with gains.
    Version,
    /// Show or hide the faders.
    Faders,
    /// Set all faders to 0 dB.
    FlatFaders,
    /// Set the faders as advised.
    AdvisedFaders,
    /// Allow the audition over the song or not.
    OverSong,
    /// Earlier windows no longer count.
    StartOver,
    /// Give the timeline the focus.
    Timeline,
    /// Copy the advice that is selected in the timeline.
    CopyMark,
    /// Give the question the focus.
    Question,
    /// Undo the last change.
    Undo,
    /// Aim at the usual balance.
    ClearReference,
    /// Aim at the balance of the last windows.
    Pin,
    /// Aim at the balance of a file.
    LoadReference,
    /// Stop measuring files.
    StopMeasuring,
    /// Show or hide the library.
    Library,
    /// Measure songs for the library.
    AddSongs,
    /// Measure a folder of songs for the library.
    AddFolder,
    /// The next anchor.
    Anchor,
    /// Whether a stem is in the mix.
    Stem(Stem),
    /// Let the model detect the stems.
    DetectStems,
    /// Raise the confidence threshold.
    RaiseThreshold,
    /// Lower the confidence threshold.
    LowerThreshold,
    /// The model's own confidence threshold.
    OwnThreshold,
    /// The next time between windows.
    Hop,
}

/// A key of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortcut {
    /// What it does.
    pub action: Action,
    /// The key.
    pub key: Key,
    /// Whether Shift is held.
    pub shift: bool,
    /// What it does, in words.
    pub words: &'static str,
}

const fn key(action: Action, key: Key, words: &'static str) -> Shortcut {
    Shortcut { action, key, shift: false, words }
}

const fn shift(action: Action, key: Key, words: &'static str) -> Shortcut {
    Shortcut { action, key, shift: true, words }
}

/// All keys, in the order of the panel.
pub const SHORTCUTS: [Shortcut; 42] = [
    key(Action::Copy, Key::C, "Copy the advice"),
    shift(Action::CopyMarkdown, Key::C, "Copy it as Markdown"),
    key(Action::Report, Key::R, "Save the report"),
    key(Action::Look, Key::L, "Theme and size"),
    key(Action::Theme, Key::T, "The other theme"),
    shift(Action::Size, Key::L, "The next size"),
    key(Action::Bypass, Key::B, "Bypass"),
    key(Action::Dismiss, Key::X, "Dismiss the newest message"),
    shift(Action::Messages, Key::X, "All messages, or one"),
    key(Action::Hear, Key::H, "Hear it; back to the mix"),
    key(Action::Version, Key::E, "Original, or with gains"),
    key(Action::Faders, Key::F, "Faders"),
    key(Action::FlatFaders, Key::Num0, "All faders at 0 dB"),
    key(Action::AdvisedFaders, Key::A, "Faders as advised"),
    key(Action::OverSong, Key::O, "Over the song, or not"),
    key(Action::StartOver, Key::S, "Start over"),
    key(Action::Timeline, Key::Y, "To the timeline"),
    shift(Action::CopyMark, Key::Y, "Copy the selected advice"),
    key(Action::Question, Key::Q, "Ask"),
    key(Action::Undo, Key::U, "Undo"),
    key(Action::Pin, Key::P, "Use this mix as reference"),
    shift(Action::LoadReference, Key::R, "Load a reference"),
    shift(Action::ClearReference, Key::P, "Clear the reference"),
    key(Action::StopMeasuring, Key::Delete, "Stop measuring"),
    key(Action::Library, Key::G, "Library"),
    shift(Action::AddSongs, Key::G, "Add songs to it"),
    shift(Action::AddFolder, Key::F, "Add a folder to it"),
    key(Action::Anchor, Key::N, "The next anchor"),
    key(Action::Stem(Stem::Vocals), Key::Num1, "Vocals in the mix, or not"),
    key(Action::Stem(Stem::Drums), Key::Num2, "Drums in the mix, or not"),
    key(Action::Stem(Stem::Bass), Key::Num3, "Bass in the mix, or not"),
    key(Action::Stem(Stem::Other), Key::Num4, "Other in the mix, or not"),
    key(Action::DetectStems, Key::D, "Detect the stems"),
    key(Action::LowerThreshold, Key::J, "Lower threshold"),
    key(Action::RaiseThreshold, Key::K, "Higher threshold"),
    shift(Action::OwnThreshold, Key::K, "The model's own threshold"),
    key(Action::Hop, Key::W, "The next time between windows"),
    key(Action::Model, Key::M, "Models"),
    shift(Action::ModelFile, Key::O, "A model file"),
    key(Action::LargeModel, Key::I, "Fetch or use the large model"),
    shift(Action::BuiltInModel, Key::M, "The built-in model"),
    key(Action::Keys, Key::F1, "These keys"),
];

impl Shortcut {
    /// The keys as text: "Shift C".
    pub fn text(&self) -> String {
        format!("{}{}", if self.shift { "Shift " } else { "" }, self.key.name())
    }
}

/// A tooltip with the key of an action: "Copy the advice (C)".
pub(super) fn tip(action: Action, text: &str) -> String {
    match SHORTCUTS.iter().find(|shortcut| shortcut.action == action) {
        Some(shortcut) => format!("{text} ({})", shortcut.text()),
        None => text.to_string(),
    }
}

/// Does what the keys of this frame ask for, and removes them from the input.
pub(super) fn press_keys(
    context: &Context,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    if context.text_edit_focused() || !context.egui_wants_keyboard_input() {
        return;
    }
    let mut pressed = Vec::new();
    context.input_mut(|input| {
        input.events.retain(|event| {
            let Event::Key { key, pressed: true, repeat: false, modifiers, .. } = event else { return true };
            let is_plain = !(modifiers.ctrl || modifiers.alt || modifiers.command || modifiers.mac_cmd);
            let found =
                SHORTCUTS.iter().find(|one| is_plain && one.key == *key && one.shift == modifiers.shift);
            pressed.extend(found.map(|shortcut| shortcut.action));
            found.is_none()
        });
    });
    for action in pressed {
        if is_possible(action, view, state) {
            perform(action, context, view, state, controls);
        }
    }
}

/// Whether an action would do something now. The button of one that would not is disabled, or not there.
pub(super) fn is_possible(action: Action, view: &View, state: &PanelState) -> bool {
    match action {
        Action::Copy | Action::CopyMarkdown => view.newest.is_some(),
        Action::BuiltInModel => view.choices.model_path.is_some(),
        Action::Dismiss => !view.notices.is_empty(),
        Action::Messages => view.notices.len() > notices::SHOWN,
        Action::Hear => view.audition.state.is_on() || view.audition.playable_s > 0.0,
        Action::Version => view.audition.state.is_on(),
        Action::AdvisedFaders => state.trial_db.is_some(),
        Action::StartOver => view.song.is_some(),
        Action::CopyMark => song::selected(view, state.selected).is_some(),
        Action::Question => view.activity != Activity::NoModel,
        Action::Undo => view.undo.is_some(),
        Action::ClearReference => view.reference.is_some(),
        Action::Pin => view.can_pin && view.reference_progress.is_none(),
        Action::LoadReference => view.reference_progress.is_none(),
        Action::StopMeasuring => view.reference_progress.is_some() || view.library.measuring.is_some(),
        Action::AddSongs | Action::AddFolder | Action::Library => view.library.measuring.is_none(),
        Action::DetectStems => view.choices.stems.is_some(),
        Action::OwnThreshold => !view.model.name.is_empty(),
        Action::LargeModel => state.models.is_open && state.models.is_large_possible(view),
        Action::Keys
        | Action::Report
        | Action::Look
        | Action::Theme
        | Action::Size
        | Action::Bypass
        | Action::Model
        | Action::ModelFile
        | Action::Faders
        | Action::FlatFaders
        | Action::OverSong
        | Action::Timeline
        | Action::Anchor
        | Action::Stem(_)
        | Action::RaiseThreshold
        | Action::LowerThreshold
        | Action::Hop => true,
    }
}

/// Does it.
pub(super) fn perform(
    action: Action,
    context: &Context,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let settings = controls.settings();
    let threshold = settings.confidence_threshold;
    match action {
        Action::Keys => state.keys_open = !state.keys_open,
        Action::Copy => context.copy_text(clipboard::advice(view, Form::Text)),
        Action::CopyMarkdown => context.copy_text(clipboard::advice(view, Form::Markdown)),
        Action::Report => state.path_box = Some(PathBox::open(Purpose::Report, &state.dialogs)),
        Action::Look => state.look_open = !state.look_open,
        Action::Theme => {
            state.look.theme = match state.look.theme {
                Theme::Dark => Theme::Light,
                Theme::Light => Theme::Dark,
            };
        }
        Action::Size => state.look.scale_percent = next(&SCALES_PERCENT, state.look.scale_percent),
        Action::Bypass => controls.set_bypass(!settings.bypass),
        Action::Model => state.models.toggle(),
        Action::ModelFile => state.path_box = Some(PathBox::open(Purpose::Model, &state.dialogs)),
        Action::LargeModel => state.models.press_large(view, controls),
        Action::BuiltInModel => controls.send(Command::ChooseModel(None)),
        Action::Dismiss => {
            if let Some(notice) = view.notices.last() {
                controls.send(Command::Dismiss(notice.id));
            }
        }
        Action::Messages => state.notices_open = !state.notices_open,
        Action::Hear if view.audition.state.is_on() => controls.send(Command::StopHearing),
        Action::Hear => controls.send(Command::Hear(hear::trial(view, state, Version::Altered))),
        Action::Version => {
            let other = match view.audition.trial.version {
                Version::Original => Version::Altered,
                Version::Altered => Version::Original,
            };
            controls.send(Command::Hear(hear::trial(view, state, other)));
        }
        Action::Faders => state.faders_open = !state.faders_open,
        Action::FlatFaders => {
            state.trial_db = Some(PerStem::all(0.0));
            hear::follow(view, state, controls);
        }
        Action::AdvisedFaders => {
            state.trial_db = None;
            hear::follow(view, state, controls);
        }
        Action::OverSong => {
            state.over_song = !state.over_song;
            hear::follow(view, state, controls);
        }
        Action::StartOver => controls.send(Command::StartOver),
        Action::Timeline => state.focus = Some(Focus::Timeline),
        Action::CopyMark => {
            if let Some(mark) = song::selected(view, state.selected) {
                context.copy_text(clipboard::mark(mark));
            }
        }
        Action::Question => state.focus = Some(Focus::Question),
        Action::Undo => {
            // The host has the threshold, so that the panel takes it back; the worker has everything else.
            if let Some(Undoable::Threshold(before)) = view.undo {
                set_threshold(controls, before);
            }
            controls.send(Command::Undo);
        }
        Action::ClearReference => controls.send(Command::ClearReference),
        Action::Pin => controls.send(Command::PinReference),
        Action::LoadReference => state.path_box = Some(PathBox::open(Purpose::Reference, &state.dialogs)),
        Action::StopMeasuring if view.reference_progress.is_some() => {
            controls.send(Command::CancelReference);
        }
        Action::StopMeasuring => controls.send(Command::Library(LibraryCommand::Cancel)),
        Action::Library => {
            state.library_open = !state.library_open;
            if state.library_open {
                controls.send(Command::Library(LibraryCommand::Read));
            }
        }
        Action::AddSongs => state.path_box = Some(PathBox::open(Purpose::Songs, &state.dialogs)),
        Action::AddFolder => state.path_box = Some(PathBox::open(Purpose::Folder, &state.dialogs)),
        Action::Anchor => {
            let [vocals, drums, bass] = Stem::TARGETS.map(Some);
            controls.send(Command::SetAnchor(next(&[None, vocals, drums, bass], view.choices.anchor)));
        }
        Action::Stem(stem) => {
            let shown = stems_in_mix(view);
            let toggled = PerStem::from_fn(|each| shown[each] != (each == stem));
            controls.send(Command::SetStems(Some(toggled)));
        }
        Action::DetectStems => controls.send(Command::SetStems(None)),
        Action::RaiseThreshold => change_threshold(controls, percent(threshold + THRESHOLD_STEP)),
        Action::LowerThreshold => change_threshold(controls, percent(threshold - THRESHOLD_STEP)),
        Action::OwnThreshold => {
            if (view.model.threshold - threshold).abs() >= SAME_THRESHOLD {
                change_threshold(controls, view.model.threshold);
            }
        }
        Action::Hop => controls.set_hop(next(&Hop::ALL, settings.hop)),
    }
}

/// The stems that are in the mix, as the user says or as they were detected.
pub(super) fn stems_in_mix(view: &View) -> PerStem<bool> {
    view.choices.stems.unwrap_or_else(|| view.levels_lu.map(Option::is_some))
}

/// Sets the confidence threshold as one gesture, which can be undone.
pub(super) fn change_threshold(controls: &mut dyn Controls, threshold: f32) {
    let before = controls.settings().confidence_threshold;
    set_threshold(controls, threshold.clamp(0.0, 1.0));
    controls.send(Command::ThresholdWas(before));
}

fn set_threshold(controls: &mut dyn Controls, threshold: f32) {
    controls.begin_threshold();
    controls.set_threshold(threshold);
    controls.end_threshold();
}

/// To whole percent, as the slider has them.
fn percent(part: f32) -> f32 {
    (part * 100.0).round() / 100.0
}

/// The one after `now`, and the first after the last.
fn next<T: Copy + PartialEq>(all: &[T], now: T) -> T {
    let at = all.iter().position(|one| *one == now).map_or(0, |at| (at + 1) % all.len());
    all[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_actions_share_a_key_and_none_has_two() {
        for (at, one) in SHORTCUTS.iter().enumerate() {
            for other in &SHORTCUTS[at + 1..] {
                assert!((one.key, one.shift) != (other.key, other.shift), "{one:?} and {other:?}");
                assert!(one.action != other.action, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn keys_that_move_the_focus_do_nothing_else() {
        for shortcut in SHORTCUTS {
            assert!(!super::super::keys::NAVIGATION.contains(&shortcut.key), "{shortcut:?}");
        }
    }

    #[test]
    fn a_tooltip_names_the_key() {
        assert_eq!(tip(Action::CopyMarkdown, "Copy it"), "Copy it (Shift C)");
        assert_eq!(tip(Action::FlatFaders, "Flat"), "Flat (0)");
    }
}
