//! Which keys the panel uses, and which go to the host.

use crate::stage::{Stage, scenes, stage};
use egui::{Event, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mixing_buddy::panel::{KeyUse, key_use};
use mixing_buddy::view::Command;

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
    for key in [Key::Space, Key::Enter, Key::ArrowLeft, Key::R, Key::Delete, Key::Plus] {
        press(&mut harness, key, None);
    }
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
    assert_eq!(harness.state().sent(), [Command::Ask("how is it".to_string())]);
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
    let [BeginThreshold, Threshold(value), EndThreshold] = calls.as_slice() else { panic!("{calls:?}") };
    assert!(*value > 0.6 && *value < 0.7, "{value}");
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
