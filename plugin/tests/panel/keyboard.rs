//! Which keys the panel uses, and which go to the host.

use crate::stage::{Stage, scenes, stage};
use egui::{Event, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mixing_buddy::panel::actions::{Action, SHORTCUTS, Shortcut};
use mixing_buddy::panel::{KeyUse, key_use};
use mixing_buddy::settings::{Hop, Theme};
use mixing_buddy::view::Command;
use mixing_buddy_core::Stem;

/// Presses a key as a host's window reports it: the key, and the text that it types.
fn press(harness: &mut Harness<'static, Stage>, key: Key, text: Option<&str>) {
    for pressed in [true, false] {
        let modifiers = Modifiers::NONE;
        harness.event(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
        if let (true, Some(text)) = (pressed, text) {
            harness.event(Event::Text(text.to_string()));
        }
    }
    harness.run_ok();
}

/// Presses Tab until the widget with the label has the focus.
fn tab_to(harness: &mut Harness<'static, Stage>, label: &str) {
    for _ in 0..60 {
        press(harness, Key::Tab, None);
        if harness.get_by_label_contains(label).is_focused() {
            return;
        }
    }
    panic!("Tab never reached {label}");
}

#[test]
fn space_goes_to_the_host_even_on_a_focused_button() {
    let mut harness = stage(scenes::advice());
    tab_to(&mut harness, "Use this mix as reference");
    press(&mut harness, Key::Space, Some(" "));
    assert_eq!(harness.state().recorder.calls, []);
    assert_eq!(key_use(&harness.ctx), KeyUse::Navigation);
    press(&mut harness, Key::Enter, None);
    assert_eq!(harness.state().sent(), [Command::PinReference]);
}

#[test]
fn without_focus_all_keys_go_to_the_host() {
    let mut harness = stage(scenes::advice());
    assert_eq!(key_use(&harness.ctx), KeyUse::Nothing);
    for key in [Key::Space, Key::Enter, Key::ArrowLeft, Key::Plus] {
        press(&mut harness, key, None);
    }
    for shortcut in SHORTCUTS {
        press(&mut harness, shortcut.key, None);
    }
    assert!(!harness.state().state.keys_open && harness.state().state.path_box.is_none());
    assert_eq!(harness.state().recorder.calls, []);
    assert_eq!(key_use(&harness.ctx), KeyUse::Nothing);
    // A click on a button leaves the keyboard with the host.
    harness.get_by_label("Start over").click();
    harness.run_ok();
    assert_eq!(key_use(&harness.ctx), KeyUse::Nothing);
}

#[test]
fn the_question_box_gets_every_key_until_it_loses_the_focus() {
    let mut harness = stage(scenes::advice());
    harness.get_by_role(egui::Role::TextInput).click();
    harness.run_ok();
    assert_eq!(key_use(&harness.ctx), KeyUse::Everything);
    for (key, text) in [(Key::H, "how"), (Key::Space, " "), (Key::I, "is it")] {
        press(&mut harness, key, Some(text));
    }
    assert_eq!(harness.state().state.question, "how is it");
    press(&mut harness, Key::Enter, None);
    assert_eq!(harness.state().sent(), [Command::WillAsk, Command::Ask("how is it".to_string())]);
    assert_eq!(harness.state().state.question, "");
    harness.get_by_role(egui::Role::TextInput).click();
    harness.run_ok();
    press(&mut harness, Key::Escape, None);
    assert_eq!(key_use(&harness.ctx), KeyUse::Nothing);
}

#[test]
fn the_ask_button_asks_too_and_blanks_are_not_a_question() {
    let mut harness = stage(scenes::advice());
    harness.state_mut().state.question = "   ".to_string();
    harness.run_ok();
    assert!(harness.get_by_label("Ask").accesskit_node().is_disabled());
    harness.state_mut().state.question = " how is my bass? ".to_string();
    harness.run_ok();
    harness.get_by_label("Ask").click();
    harness.run_ok();
    assert_eq!(harness.state().sent(), [Command::Ask("how is my bass?".to_string())]);
}

#[test]
fn arrow_keys_move_along_the_timeline() {
    let mut harness = stage(scenes::advice());
    tab_to(&mut harness, "Timeline, ");
    let start_of = |harness: &Harness<'static, Stage>| {
        let selected = harness.state().state.selected;
        harness.state().view.history.iter().find(|mark| Some(mark.order) == selected).map(|mark| mark.start_s)
    };
    press(&mut harness, Key::ArrowLeft, None);
    assert_eq!(start_of(&harness), Some(195.0), "the newest first");
    press(&mut harness, Key::ArrowLeft, None);
    assert_eq!(start_of(&harness), Some(190.0));
    press(&mut harness, Key::ArrowRight, None);
    press(&mut harness, Key::ArrowRight, None);
    assert_eq!(start_of(&harness), Some(195.0), "the last mark stays selected");
    press(&mut harness, Key::Home, None);
    assert_eq!(start_of(&harness), Some(0.0));
    assert!(harness.get_by_label_contains("Timeline, ").is_focused(), "arrow keys do not move the focus");
    press(&mut harness, Key::Escape, None);
    assert_eq!(start_of(&harness), None);
    assert!(harness.get_by_label_contains("Timeline, ").is_focused(), "the first Escape deselects the mark");
    press(&mut harness, Key::Escape, None);
    assert_eq!(key_use(&harness.ctx), KeyUse::Nothing, "after the second Escape all keys go to the host");
}

#[test]
fn each_arrow_key_on_the_threshold_is_one_gesture() {
    let mut harness = stage(scenes::advice());
    for _ in 0..60 {
        press(&mut harness, Key::Tab, None);
        if harness.get_by_role_and_label(egui::Role::Slider, "60 %").is_focused() {
            break;
        }
    }
    press(&mut harness, Key::ArrowRight, None);
    use crate::stage::Call::{BeginThreshold, EndThreshold, Threshold};
    let calls = &harness.state().recorder.calls;
    let [BeginThreshold, Threshold(value), EndThreshold, before] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(*before, crate::stage::Call::Send(Command::ThresholdWas(0.6)));
    assert!(*value > 0.6 && *value < 0.7, "{value}");
}

/// Presses the key of an action, while a button has the focus.
fn press_shortcut(harness: &mut Harness<'static, Stage>, shortcut: &Shortcut) {
    harness.get_by_label("Look").focus();
    harness.run_ok();
    let modifiers = if shortcut.shift { Modifiers::SHIFT } else { Modifiers::NONE };
    let key = shortcut.key;
    for pressed in [true, false] {
        harness.event(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
        harness.step();
    }
}

fn shortcut_of(action: Action) -> Shortcut {
    *SHORTCUTS.iter().find(|shortcut| shortcut.action == action).expect("every action has a key")
}

/// What a press or a click did.
fn done(harness: &Harness<'static, Stage>) -> String {
    let Stage { state, recorder, .. } = harness.state();
    let path_box = state.path_box.as_ref().map(|path_box| path_box.purpose);
    format!(
        "{:?} {:?} {path_box:?} {:?} {:?}",
        recorder.calls,
        state.look,
        (state.look_open, state.keys_open, state.library_open, state.faders_open, state.notices_open),
        (state.trial_db, state.over_song, state.models.is_open)
    )
}

#[test]
fn a_key_does_what_its_button_does() {
    let hearable = || {
        let mut scene = scenes::advice();
        scene.view.audition.playable_s = 9.9;
        scene
    };
    let tried = || {
        let mut scene = scenes::trying();
        scene.state.faders_open = true;
        scene
    };
    type Case = (fn() -> scenes::Scene, &'static str, Action);
    let cases: [Case; 28] = [
        (scenes::advice, "Report…", Action::Report),
        (scenes::advice, "Look", Action::Look),
        (scenes::advice, "Bypass", Action::Bypass),
        (scenes::advice, "Keys", Action::Keys),
        (scenes::advice, "Choose model…", Action::Model),
        (scenes::models::listed, "Choose…", Action::ModelFile),
        (scenes::models::here, "Use", Action::LargeModel),
        (scenes::reference, "Built-in", Action::BuiltInModel),
        (scenes::no_model, "Dismiss", Action::Dismiss),
        (scenes::notices, "Show 2 more", Action::Messages),
        (scenes::hearing, "Stop", Action::Hear),
        (scenes::hearing, "Back to the mix", Action::Hear),
        (scenes::hearing, "Original", Action::Version),
        (scenes::hearing_original, "With gains", Action::Version),
        (scenes::advice, "Faders", Action::Faders),
        (scenes::host_sleeps, "Over the song", Action::OverSong),
        (scenes::advice, "Start over", Action::StartOver),
        (scenes::reference, "Undo", Action::Undo),
        (scenes::reference, "Clear", Action::ClearReference),
        (scenes::advice, "Use this mix as reference", Action::Pin),
        (scenes::advice, "Load reference…", Action::LoadReference),
        (scenes::measuring, "Cancel", Action::StopMeasuring),
        (scenes::library::measuring, "Stop", Action::StopMeasuring),
        (scenes::advice, "Library", Action::Library),
        (scenes::library::listed, "Add songs…", Action::AddSongs),
        (scenes::library::listed, "Add folder…", Action::AddFolder),
        (scenes::advice, "In the mix: bass", Action::Stem(Stem::Bass)),
        (scenes::reference, "Detect", Action::DetectStems),
    ];
    type MakeScene = Box<dyn Fn() -> scenes::Scene>;
    let made: Vec<(MakeScene, &str, Action)> = cases
        .into_iter()
        .map(|(scene, label, action)| (Box::new(scene) as MakeScene, label, action))
        .chain([
            (Box::new(hearable) as MakeScene, "Hear it", Action::Hear),
            (Box::new(tried), "All 0 dB", Action::FlatFaders),
            (Box::new(tried), "As advised", Action::AdvisedFaders),
        ])
        .collect();
    for (scene, label, action) in made {
        let before = done(&stage(scene()));
        let mut clicked = stage(scene());
        clicked.get_by_label(label).click();
        clicked.run_ok();
        let mut pressed = stage(scene());
        press_shortcut(&mut pressed, &shortcut_of(action));
        assert_eq!(done(&pressed), done(&clicked), "{label}");
        assert_ne!(done(&pressed), before, "{label} does nothing");
    }
}

#[test]
fn keys_without_a_button_of_their_own_choose_the_next() {
    let sent = |action| {
        let mut harness = stage(scenes::advice());
        press_shortcut(&mut harness, &shortcut_of(action));
        harness.state().recorder.calls.clone()
    };
    use crate::stage::Call;
    assert_eq!(sent(Action::Anchor), [Call::Send(Command::SetAnchor(Some(Stem::Vocals)))]);
    assert_eq!(sent(Action::Hop), [Call::Hop(Hop::Ten)]);
    let raised = sent(Action::RaiseThreshold);
    let gesture = [
        Call::BeginThreshold,
        Call::Threshold(0.65),
        Call::EndThreshold,
        Call::Send(Command::ThresholdWas(0.6)),
    ];
    assert_eq!(raised, gesture);
    let mut harness = stage(scenes::advice());
    press_shortcut(&mut harness, &shortcut_of(Action::Theme));
    press_shortcut(&mut harness, &shortcut_of(Action::Size));
    let look = harness.state().state.look;
    assert_eq!((look.theme, look.scale_percent), (Theme::Light, 125));
}

#[test]
fn keys_lead_to_the_question_and_the_timeline() {
    let mut harness = stage(scenes::advice());
    press_shortcut(&mut harness, &shortcut_of(Action::Question));
    harness.run_ok();
    assert_eq!(key_use(&harness.ctx), KeyUse::Everything);
    press(&mut harness, Key::S, Some("s"));
    assert_eq!(harness.state().state.question, "s", "in a text field, letters are letters");
    assert_eq!(harness.state().sent(), [Command::WillAsk]);
    let mut harness = stage(scenes::advice());
    press_shortcut(&mut harness, &shortcut_of(Action::Timeline));
    harness.run_ok();
    assert!(harness.get_by_label_contains("Timeline, ").is_focused());
}

#[test]
fn every_key_is_in_the_list() {
    let harness = stage(scenes::keys());
    for shortcut in SHORTCUTS {
        assert!(harness.query_all_by_label(shortcut.words).next().is_some(), "{shortcut:?}");
        assert!(harness.query_all_by_label(&shortcut.text()).next().is_some(), "{shortcut:?}");
    }
}

#[test]
fn tab_reaches_everything_in_reading_order() {
    let mut harness = stage(scenes::reference());
    harness.state_mut().state.question = "how is it?".to_string();
    harness.run_ok();
    let order = [
        "Copy",
        "Bypass",
        "Start over",
        "Timeline, ",
        "Ask",
        "Undo",
        "Load reference…",
        "Anchor: bass",
        "In the mix: vocals",
        "Hop: 10 s",
    ];
    for label in order {
        tab_to_next(&mut harness, label);
    }
}

/// Like `tab_to`, but the focus must arrive within a few presses.
fn tab_to_next(harness: &mut Harness<'static, Stage>, label: &str) {
    for _ in 0..16 {
        press(harness, Key::Tab, None);
        if harness.query_all_by_label_contains(label).any(|node| node.is_focused()) {
            return;
        }
    }
    panic!("{label} does not come next");
}
