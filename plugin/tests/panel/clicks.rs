//! What clicks do.

use crate::stage::scenes::{self, Scene};
use crate::stage::song;
use crate::stage::{Call, Stage, stage};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mixing_buddy::library::LibraryCommand;
use mixing_buddy::panel::dialog::Dialogs;
use mixing_buddy::panel::path_box::Purpose;
use mixing_buddy::settings::{Hop, MIN_SIZE_PT, Theme};
use mixing_buddy::view::{Command, Trial, Undoable};
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::profile::Choice;
use mixing_buddy_core::{PerStem, Stem};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Clicks the widget with a label and lets the panel settle.
fn click(harness: &mut Harness<'static, Stage>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_ok();
}

fn after_click(scene: Scene, label: &str) -> Harness<'static, Stage> {
    let mut harness = stage(scene);
    click(&mut harness, label);
    harness
}

#[test]
fn a_reference_can_be_pinned_cleared_undone_and_cancelled() {
    let pinned = after_click(scenes::advice(), "Use this mix as reference");
    assert_eq!(pinned.state().sent(), [Command::PinReference]);
    let cleared = after_click(scenes::reference(), "Clear");
    assert_eq!(cleared.state().sent(), [Command::ClearReference]);
    let undone = after_click(scenes::reference(), "Undo");
    assert_eq!(undone.state().sent(), [Command::Undo]);
    let cancelled = after_click(scenes::measuring(), "Cancel");
    assert_eq!(cancelled.state().sent(), [Command::CancelReference]);
}

#[test]
fn buttons_without_effect_are_disabled() {
    let mut scene = scenes::advice();
    scene.view.can_pin = false;
    scene.view.song = None;
    let mut harness = stage(scene);
    for label in ["Use this mix as reference", "Clear", "Undo", "Start over", "Ask"] {
        assert!(harness.get_by_label(label).accesskit_node().is_disabled(), "{label}");
        click(&mut harness, label);
    }
    assert_eq!(harness.state().recorder.calls, []);
}

#[test]
fn start_over_sends_its_command() {
    let harness = after_click(scenes::advice(), "Start over");
    assert_eq!(harness.state().sent(), [Command::StartOver]);
}

#[test]
fn a_reference_can_be_loaded_from_a_typed_path() {
    let mut harness = after_click(scenes::advice(), "Load reference…");
    assert!(harness.state().state.path_box.is_some());
    // No dialog is installed, and the panel says so.
    harness.get_by_label_contains("No file dialog was found");
    let typed_into =
        harness.query_all_by_role(egui::Role::TextInput).filter(|field| field.is_focused()).count();
    assert_eq!(typed_into, 1, "the field has the focus at once");
    harness.event(egui::Event::Text("'/music/a song.wav'".to_string()));
    harness.run_ok();
    click(&mut harness, "Load");
    assert_eq!(harness.state().sent(), [Command::LoadReference("/music/a song.wav".into())]);
    assert!(harness.state().state.path_box.is_none(), "the box closes");
}

#[cfg(unix)]
#[test]
fn the_file_from_the_dialog_is_loaded_and_no_frame_waits_for_it() {
    let mut scene = scenes::advice();
    let script = "sleep 0.3; echo /music/chosen.flac";
    scene.state.dialogs = Dialogs::Program("/bin/sh".into(), vec!["-c".into(), script.into()]);
    let mut harness = stage(scene);
    let started = Instant::now();
    harness.get_by_label("Load reference…").click();
    harness.run_steps(3);
    assert!(started.elapsed() < Duration::from_millis(300), "the frame waited: {:?}", started.elapsed());
    assert_eq!(harness.state().sent(), []);
    harness.get_by_label_contains("file dialog is open");
    while harness.state().sent().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "the choice never arrived");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
    assert_eq!(harness.state().sent(), [Command::LoadReference("/music/chosen.flac".into())]);
}

#[test]
fn another_model_and_the_built_in_one_can_be_chosen() {
    let mut harness = after_click(scenes::reference(), "Choose model…");
    click(&mut harness, "Choose…");
    let purpose = harness.state().state.path_box.as_ref().map(|path_box| path_box.purpose);
    assert_eq!(purpose, Some(Purpose::Model));
    click(&mut harness, "Close");
    assert!(harness.state().state.path_box.is_none());
    click(&mut harness, "Built-in");
    assert_eq!(harness.state().sent(), [Command::ChooseModel(None)]);
}

#[test]
fn a_report_is_saved_at_the_given_path() {
    let mut harness = after_click(scenes::advice(), "Report…");
    let path_box = harness.state_mut().state.path_box.as_mut().expect("the box is open");
    path_box.path = "/music/report".to_string();
    harness.run_ok();
    click(&mut harness, "Save");
    assert_eq!(harness.state().sent(), [Command::SaveReport("/music/report".into())]);
}

#[test]
fn a_dropped_file_is_loaded_by_its_extension() {
    #[derive(Debug)]
    struct Dropped(PathBuf);
    impl egui::DroppedFile for Dropped {
        fn path(&self) -> &Path {
            &self.0
        }
        fn bytes(&self) -> Result<Vec<u8>, String> {
            Err("the panel must not read a dropped file".to_string())
        }
    }
    for (path, command) in [
        ("/music/a.flac", Command::LoadReference("/music/a.flac".into())),
        ("/music/a.mixbuddy", Command::ChooseModel(Some("/music/a.mixbuddy".into()))),
    ] {
        let mut harness = stage(scenes::advice());
        harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.into())));
        harness.step();
        harness.step();
        assert_eq!(harness.state().sent(), [command]);
    }
}

#[test]
fn anchor_stems_and_hop_can_be_chosen() {
    let mut harness = stage(scenes::advice());
    click(&mut harness, "Anchor: drums");
    click(&mut harness, "In the mix: other");
    click(&mut harness, "Hop: 2.5 s");
    let stems = PerStem::all(true).with(Stem::Other, false);
    assert_eq!(
        harness.state().recorder.calls,
        [
            Call::Send(Command::SetAnchor(Some(Stem::Drums))),
            Call::Send(Command::SetStems(Some(stems))),
            Call::Hop(Hop::TwoAndAHalf),
        ]
    );
}

#[test]
fn the_stems_can_be_detected_again() {
    let harness = after_click(scenes::reference(), "Detect");
    assert_eq!(harness.state().sent(), [Command::SetStems(None)]);
}

#[test]
fn bypass_can_be_turned_on_and_off() {
    let mut harness = stage(scenes::advice());
    click(&mut harness, "Bypass");
    click(&mut harness, "Bypass");
    assert_eq!(harness.state().recorder.calls, [Call::Bypass(true), Call::Bypass(false)]);
}

#[test]
fn a_drag_of_the_threshold_is_one_gesture() {
    let mut harness = stage(scenes::advice());
    let slider = harness.get_by_role_and_label(egui::Role::Slider, "60 %").rect();
    let y = slider.center().y;
    for part in [0.6_f32, 0.65, 0.7, 0.9] {
        harness.drag_at(egui::pos2(slider.left() + slider.width() * part, y));
        harness.run_ok();
    }
    harness.drop_at(egui::pos2(slider.left() + slider.width() * 0.9, y));
    harness.run_ok();
    let calls = &harness.state().recorder.calls;
    assert_eq!(calls.first(), Some(&Call::BeginThreshold), "{calls:?}");
    let last_two = &calls[calls.len() - 2..];
    assert_eq!(last_two, [Call::EndThreshold, Call::Send(Command::ThresholdWas(0.6))], "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == Call::BeginThreshold).count(), 1, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == Call::EndThreshold).count(), 1, "{calls:?}");
    assert!((harness.state().recorder.settings.confidence_threshold - 0.9).abs() < 0.05, "{calls:?}");
}

#[test]
fn the_models_own_threshold_can_be_set() {
    let mut scene = scenes::advice();
    scene.recorder.settings.confidence_threshold = 0.9;
    let harness = after_click(scene, "Default");
    assert_eq!(
        harness.state().recorder.calls,
        [
            Call::BeginThreshold,
            Call::Threshold(0.6),
            Call::EndThreshold,
            Call::Send(Command::ThresholdWas(0.9)),
        ]
    );
}

#[test]
fn a_threshold_between_two_steps_that_the_host_sets_is_left_alone() {
    let mut scene = scenes::advice();
    scene.recorder.settings.confidence_threshold = 0.412_3;
    let mut harness = stage(scene);
    harness.run_ok();
    assert_eq!(harness.state().recorder.calls, []);
}

#[test]
fn undo_of_the_threshold_goes_through_the_host() {
    let mut scene = scenes::advice();
    scene.view.undo = Some(Undoable::Threshold(0.45));
    let harness = after_click(scene, "Undo");
    assert_eq!(
        harness.state().recorder.calls,
        [Call::BeginThreshold, Call::Threshold(0.45), Call::EndThreshold, Call::Send(Command::Undo)]
    );
}

#[test]
fn the_track_is_named_where_the_host_names_it() {
    stage(scenes::on_a_track()).get_by_label("Master");
    let mut scene = scenes::on_a_track();
    scene.size_pt = MIN_SIZE_PT;
    scene.state.track.as_mut().expect("the scene has one").name = "Master ".repeat(40);
    let harness = stage(scene);
    // The buttons stay in the window.
    let bypass = harness.get_by_label("Bypass").rect();
    assert!(bypass.right() <= MIN_SIZE_PT[0], "{bypass:?}");
}

#[test]
fn a_click_on_the_timeline_shows_the_advice_at_that_place() {
    let mut harness = stage(scenes::advice());
    assert!(harness.query_by_label_contains("The bass is too quiet.").is_none());
    let timeline = harness.get_by_label_contains("Timeline, ").rect();
    // The lanes start right of their names. The middle of the window from 0:30 to 0:40 is at 35 of 205 seconds.
    let x = timeline.left() + 58.0 + (timeline.width() - 58.0) * 35.0 / 205.0;
    harness.hover_at(egui::pos2(x, timeline.top() + 60.0));
    harness.run_ok();
    harness.drag_at(egui::pos2(x, timeline.top() + 60.0));
    harness.drop_at(egui::pos2(x, timeline.top() + 60.0));
    harness.run_ok();
    harness.get_by_label("The bass is too quiet. Raise it by about 4.5 dB.");
    let chosen = harness.state().state.selected.expect("a mark is selected");
    assert!(harness.state().view.history.iter().any(|mark| mark.order == chosen && mark.start_s == 30.0));
    click(&mut harness, "Close this advice");
    assert_eq!(harness.state().state.selected, None);
}

#[test]
fn the_advice_is_copied_with_its_evidence() {
    let copied = |modifiers: egui::Modifiers| {
        let mut harness = stage(scenes::advice());
        let pos = harness.get_by_label("Copy").rect().center();
        let mut copied = Vec::new();
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            harness.input_mut().events.extend([
                egui::Event::ModifiersChanged(modifiers),
                egui::Event::PointerMoved(pos),
                egui::Event::PointerButton { pos, button, pressed, modifiers },
            ]);
            harness.step();
            for command in &harness.output().platform_output.commands {
                if let egui::OutputCommand::CopyText(text) = command {
                    copied.push(text.clone());
                }
            }
        }
        copied
    };
    let text = "The vocals are a little too loud. Lower them by about 4 dB. \
                (−4 dB ± 1.3; 82 % sure; 3:15–3:25; vocals at +1.9 LU, usual −8.6 to −1.4; \
                4 of the last 5 windows agree)\n\
                Over 28 windows: Vocals too loud, −3 dB, 71 % sure";
    assert_eq!(copied(egui::Modifiers::NONE), [text]);
    let markdown = "**The vocals are a little too loud. Lower them by about 4 dB.**\n\n\
                    - −4 dB ± 1.3\n- 82 % sure\n- 3:15–3:25\n\
                    - vocals at +1.9 LU, usual −8.6 to −1.4\n- 4 of the last 5 windows agree\n\
                    - Over 28 windows: Vocals too loud, −3 dB, 71 % sure";
    assert_eq!(copied(egui::Modifiers::SHIFT), [markdown]);
}

#[test]
fn a_notice_can_be_dismissed() {
    let mut harness = stage(scenes::no_model());
    click(&mut harness, "Dismiss");
    assert_eq!(harness.state().sent(), [Command::Dismiss(1)]);
}

#[test]
fn only_the_newest_two_notices_are_shown_at_first() {
    let mut harness = stage(scenes::notices());
    assert_eq!(harness.query_all_by_label("Dismiss").count(), 2);
    click(&mut harness, "Show 2 more");
    assert_eq!(harness.query_all_by_label("Dismiss").count(), 4);
}

#[test]
fn theme_and_size_can_be_changed() {
    let mut harness = after_click(scenes::advice(), "Look");
    click(&mut harness, "Light");
    assert_eq!(harness.state().state.look.theme, Theme::Light);
    assert!(!harness.ctx.global_style().visuals.dark_mode);
    click(&mut harness, "150 %");
    assert_eq!(harness.state().state.look.scale_percent, 150);
    assert_eq!(harness.ctx.zoom_factor(), 1.5);
}

#[test]
fn the_panel_scrolls_to_an_answer_once() {
    let mut scene = scenes::answered();
    scene.size_pt = MIN_SIZE_PT;
    let mut harness = stage(scene);
    let answer = "The bass could come up a little. Raise it by about 3 dB.";
    let visible = egui::Rect::from_min_size(egui::Pos2::ZERO, MIN_SIZE_PT.into());
    assert!(
        visible.contains_rect(harness.get_by_label(answer).rect()),
        "{:?}",
        harness.get_by_label(answer).rect()
    );
    // After the user scrolls away the panel does not scroll back.
    harness.hover_at(egui::pos2(100.0, 300.0));
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 2000.0),
        modifiers: egui::Modifiers::NONE,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
    });
    harness.run_steps(12);
    let place =
        |harness: &Harness<'static, Stage>| harness.query_by_label(answer).map(|node| node.rect().top());
    assert!(place(&harness).is_none_or(|top| top > visible.bottom()), "{:?}", place(&harness));
}

#[test]
fn no_value_makes_the_panel_panic() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0, 1e-40];
    for value in odd {
        let mut scene = scenes::reference();
        let mark = mixing_buddy::view::Mark {
            start_s: f64::from(value) * 1e30,
            end_s: f64::from(value),
            order: u64::MAX,
            current: true,
            pass: u32::MAX,
            followed: None,
            advice: song::off(Stem::Vocals, value, value, ""),
        };
        let mark = std::sync::Arc::new(mark);
        let mut history = scene.view.history.to_vec();
        history.push(mark.clone());
        scene.view.history = std::sync::Arc::new(history);
        scene.view.newest = Some(mark);
        scene.view.activity = mixing_buddy::view::Activity::Filling { filled_s: value };
        scene.view.levels_lu = PerStem::from_fn(|_| Some(value));
        scene.view.usual_lu = PerStem::from_fn(|_| (value, value));
        scene.view.reference_progress = Some(value);
        scene.view.model.window_ms = Some(value);
        scene.view.model.threshold = value;
        scene.recorder.settings.confidence_threshold = value;
        let mut with_band = scenes::advice();
        with_band.view = mixing_buddy::view::View { reference: None, ..scene.view.clone() };
        stage(with_band);
        stage(scene);
    }
}

#[test]
fn the_advice_can_be_heard_compared_and_ended() {
    let advised = scenes::hearing().view.audition.trial;
    let mut scene = scenes::advice();
    scene.view.audition.playable_s = 9.9;
    let started = after_click(scene, "Hear it");
    assert_eq!(started.state().sent(), [Command::Hear(advised)]);
    let original = after_click(scenes::hearing(), "Original");
    assert_eq!(original.state().sent(), [Command::Hear(Trial { version: Version::Original, ..advised })]);
    let altered = after_click(scenes::hearing_original(), "With gains");
    assert_eq!(altered.state().sent(), [Command::Hear(advised)]);
    for label in ["Stop", "Back to the mix"] {
        assert_eq!(after_click(scenes::hearing(), label).state().sent(), [Command::StopHearing], "{label}");
    }
    let over_song = after_click(scenes::host_sleeps(), "Over the song");
    assert_eq!(over_song.state().sent(), [Command::Hear(Trial { over_song: true, ..advised })]);
    // Without sound there is nothing to hear.
    assert_eq!(after_click(scenes::advice(), "Hear it").state().sent(), []);
}

#[test]
fn faders_are_tried_at_once_and_go_back_to_the_advice() {
    let mut harness = stage(scenes::hearing());
    let advised = harness.state().view.audition.trial;
    click(&mut harness, "Faders");
    harness.get_by_label_contains("Try drums").focus();
    harness.run_ok();
    harness.key_press(egui::Key::ArrowRight);
    harness.run_ok();
    let gains_db = advised.gains_db.with(Stem::Drums, 0.5);
    assert_eq!(harness.state().sent(), [Command::Hear(Trial { gains_db, ..advised })]);
    click(&mut harness, "All 0 dB");
    let gains_db = PerStem::all(0.0);
    assert_eq!(harness.state().sent().last(), Some(&Command::Hear(Trial { gains_db, ..advised })));
    click(&mut harness, "As advised");
    assert_eq!(harness.state().sent().last(), Some(&Command::Hear(advised)));
    assert_eq!(harness.state().state.trial_db, None);
}

#[test]
fn the_output_that_is_not_the_mix_is_always_signed() {
    for scene in [scenes::hearing(), scenes::hearing_original(), scenes::trying(), scenes::host_sleeps()] {
        let harness = stage(scene);
        assert!(harness.query_by_label("Back to the mix").is_some());
    }
    for scene in [scenes::advice(), scenes::hearing_ended()] {
        assert!(stage(scene).query_by_label("Back to the mix").is_none());
    }
}

#[test]
fn the_library_is_read_when_it_opens_and_its_songs_are_aimed_at() {
    let mut harness = after_click(scenes::advice(), "Library");
    assert_eq!(harness.state().sent(), [Command::Library(LibraryCommand::Read)]);
    click(&mut harness, "Library");
    assert!(!harness.state().state.library_open);

    let scene = scenes::library::listed();
    let chosen = scene.view.reference.clone().expect("the scene has one").choices;
    let mut harness = after_click(scene, "Aim at Blue Hour.flac");
    click(&mut harness, "Aim at Slow Tide.wav");
    click(&mut harness, "Weight of my pop records: 2");
    let sent: Vec<Vec<Choice>> = harness
        .state()
        .sent()
        .into_iter()
        .map(|command| match command {
            Command::Library(LibraryCommand::Aim(choices)) => choices,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((sent[0].len(), &sent[0][..2]), (3, &chosen[..]));
    assert_eq!(sent[1], chosen[..1], "a second click takes it away");
    assert_eq!(sent[2].iter().map(|choice| choice.weight).collect::<Vec<_>>(), [4.0, 1.0]);
}

#[test]
fn songs_and_folders_are_added_and_measuring_can_be_stopped() {
    let mut harness = after_click(scenes::library::listed(), "Add folder…");
    let path_box = harness.state_mut().state.path_box.as_mut().expect("the box is open");
    path_box.path = "/music/favourites".into();
    harness.run_ok();
    click(&mut harness, "Add");
    let measure = Command::Library(LibraryCommand::Measure(vec!["/music/favourites".into()]));
    assert_eq!(harness.state().sent(), [measure]);
    let stopped = after_click(scenes::library::measuring(), "Stop");
    assert_eq!(stopped.state().sent(), [Command::Library(LibraryCommand::Cancel)]);
}
