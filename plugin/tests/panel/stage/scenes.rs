//! The states of the panel, written by hand.

pub mod library;
pub mod models;
pub mod passes;

use super::Recorder;
use super::song::{
    before_the_first_window, lu, mark, model, off, plain, playing, unsure, usual, with_newest,
};
use mixing_buddy::panel::dialog::Dialogs;
use mixing_buddy::panel::models::Models;
use mixing_buddy::panel::program::Program;
use mixing_buddy::panel::{Automation, PanelState, Track};
use mixing_buddy::settings::{DEFAULT_SIZE_PT, Hop, Look, MIN_SIZE_PT, Settings, Theme};
use mixing_buddy::view::{
    Activity, Answered, Audition, AuditionState, Choices, End, ModelStatus, Notice, Obstacle, Reference,
    Trial, Undoable, View,
};
use mixing_buddy_core::audition::Version;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::loudness::Meters;
use mixing_buddy_core::{PerStem, Stem, Verdict};
use std::sync::Arc;

/// A view, the panel's own state, and the size of the window.
pub struct Scene {
    pub name: &'static str,
    pub view: View,
    pub state: PanelState,
    pub recorder: Recorder,
    pub size_pt: [f32; 2],
    /// The widget that has the keyboard focus.
    pub focus: Option<&'static str>,
}

impl Scene {
    fn new(name: &'static str, view: View) -> Scene {
        // No dialog of the desktop may open while tests run.
        let dialogs = Dialogs::Program("mixing-buddy-has-no-dialog-here".into(), Vec::new());
        let program = Program::This("mixing-buddy-is-not-here".into(), Vec::new());
        Scene {
            name,
            view,
            state: PanelState { dialogs, models: Models::new(program, None), ..PanelState::default() },
            recorder: Recorder {
                settings: Settings { bypass: false, confidence_threshold: 0.6, hop: Hop::Five },
                calls: Vec::new(),
            },
            size_pt: DEFAULT_SIZE_PT,
            focus: None,
        }
    }

    fn named(mut self, name: &'static str) -> Scene {
        self.name = name;
        self
    }

    fn light(mut self) -> Scene {
        self.state.look.theme = Theme::Light;
        self
    }

    fn smallest(mut self) -> Scene {
        self.size_pt = MIN_SIZE_PT;
        self
    }

    fn scaled(mut self, scale_percent: u16) -> Scene {
        self.state.look = Look { scale_percent, ..self.state.look };
        self
    }
}

/// Every scene that is compared with a picture.
pub fn all() -> Vec<Scene> {
    vec![
        loading(),
        no_model(),
        waiting(),
        listening(),
        advice(),
        hearing(),
        hearing().light().named("hearing_light"),
        hearing().scaled(200).named("hearing_200"),
        hearing().light().scaled(200).named("hearing_light_200"),
        hearing().smallest().named("hearing_smallest"),
        hearing_original().light(),
        trying(),
        trying().light().named("trying_light"),
        trying().smallest().named("trying_smallest"),
        host_sleeps(),
        hearing_ended(),
        advice().light().named("advice_light"),
        advice().smallest().named("advice_smallest"),
        advice().smallest().light().named("advice_smallest_light"),
        advice().smallest().scaled(200).named("advice_smallest_200"),
        advice().scaled(150).named("advice_150"),
        cramped(),
        balanced(),
        cannot_tell(),
        cannot_tell_without_vocals(),
        silence(),
        paused(),
        bypassed(),
        catching_up(),
        loop_too_short(),
        loop_too_short().light().named("loop_too_short_light"),
        jumping(),
        stopping().smallest(),
        audio_lost(),
        reference(),
        reference().light().named("reference_light"),
        measuring(),
        selected(),
        focused(),
        focused_timeline(),
        answered(),
        answered().smallest().named("answered_smallest"),
        asked(),
        notices(),
        notices().smallest().named("notices_smallest"),
        limited(),
        limited().light().named("limited_light"),
        limited().smallest().named("limited_smallest"),
        limited().smallest().scaled(200).named("limited_smallest_200"),
        path_box(),
        look(),
        keys(),
        keys().light().named("keys_light"),
        keys().smallest().scaled(200).named("keys_smallest_200"),
        indicated(),
        on_a_track(),
        on_a_track().light().named("on_a_track_light"),
        models::listed(),
        models::listed().light().named("models_light"),
        models::here(),
        models::fetching(),
        models::fetching().light().smallest().scaled(200).named("models_fetching_light_200"),
        models::failed(),
        models::in_use(),
        library::listed(),
        library::listed().light().named("library_light"),
        library::listed().smallest().scaled(200).named("library_smallest_200"),
        library::measuring(),
        passes::confirmed(),
        passes::confirmed().light().named("confirmed_light"),
        passes::confirmed().smallest().scaled(200).named("confirmed_smallest_200"),
        passes::overdone(),
        passes::other_take(),
        passes::automation().light(),
        long_words(),
    ]
}

pub fn loading() -> Scene {
    let view = View { usual_lu: usual(), ..View::default() };
    Scene::new("loading", view)
}

pub fn no_model() -> Scene {
    let mut view = View { activity: Activity::NoModel, usual_lu: usual(), ..View::default() };
    view.notices = vec![Notice {
        id: 1,
        is_error: true,
        text: "No model can be used: model bundle /music/old.mixbuddy: has format version 7.".to_string(),
    }];
    Scene::new("no_model", view)
}

pub fn waiting() -> Scene {
    Scene::new("waiting", before_the_first_window(Activity::Waiting))
}

pub fn listening() -> Scene {
    Scene::new("listening", before_the_first_window(Activity::Filling { filled_s: 6.4 }))
}

pub fn advice() -> Scene {
    Scene::new("advice", playing())
}

/// The advice sounds.
pub fn hearing() -> Scene {
    let newest = playing().newest.expect("the song has advice");
    let best = newest.advice.best;
    let stem = best.stem.expect("the advice names a stem");
    let gains_db = PerStem::all(0.0).with(stem, best.gain_db.unwrap_or_default());
    let trial = Trial { gains_db, version: Version::Altered, over_song: false };
    let audition = Audition { state: AuditionState::Sounding, trial, playable_s: 9.9 };
    Scene::new("hearing", View { audition, activity: Activity::Paused, ..playing() })
}

/// The same window as it was.
pub fn hearing_original() -> Scene {
    let mut scene = hearing().named("hearing_original");
    scene.view.audition.trial.version = Version::Original;
    scene
}

/// Faders set by hand, over the running song.
pub fn trying() -> Scene {
    let mut scene = hearing().named("trying");
    let gains_db = PerStem { vocals: -2.5, drums: 0.0, bass: 12.0, other: -12.0 };
    scene.state.trial_db = Some(gains_db);
    scene.state.over_song = true;
    scene.state.faders_open = true;
    scene.view.audition.trial = Trial { gains_db, version: Version::Altered, over_song: true };
    scene
}

/// The host does not call the plugin.
pub fn host_sleeps() -> Scene {
    let mut scene = hearing().named("host_sleeps");
    scene.view.audition.state = AuditionState::HostSleeps;
    scene
}

/// The song began to play.
pub fn hearing_ended() -> Scene {
    let mut scene = hearing().named("hearing_ended");
    scene.view.audition.state = AuditionState::Ended(End::SongPlays);
    scene
}

/// Twice the scale in a window that the host does not let grow.
pub fn cramped() -> Scene {
    let mut scene = advice().scaled(200).named("advice_200_in_the_default_window");
    scene.size_pt = [DEFAULT_SIZE_PT[0] / 2.0, DEFAULT_SIZE_PT[1] / 2.0];
    scene
}

pub fn balanced() -> Scene {
    let mut advice = plain(Verdict::NoError, 0.77, "The balance is right.");
    advice.levels_lu = lu(-3.9, -6.1, -8.8, -0.6);
    Scene::new("balanced", with_newest(advice))
}

pub fn cannot_tell() -> Scene {
    Scene::new("cannot_tell", with_newest(unsure()))
}

pub fn cannot_tell_without_vocals() -> Scene {
    let mut advice = unsure();
    advice.levels_lu.vocals = None;
    Scene::new("cannot_tell_without_vocals", with_newest(advice))
}

pub fn silence() -> Scene {
    let mut advice = plain(Verdict::Silence, 0.0, "");
    advice.levels_lu = PerStem::default();
    Scene::new("silence", with_newest(advice))
}

pub fn paused() -> Scene {
    Scene::new("paused", before_the_first_window(Activity::Paused))
}

pub fn bypassed() -> Scene {
    let mut scene = Scene::new("bypassed", View { activity: Activity::Bypassed, ..playing() });
    scene.recorder.settings.bypass = true;
    scene
}

pub fn catching_up() -> Scene {
    Scene::new("catching_up", View { activity: Activity::CatchingUp { left: 12 }, ..playing() })
}

pub fn loop_too_short() -> Scene {
    let activity = Activity::Obstructed(Obstacle::ShortLoop { loop_s: 2.0 });
    Scene::new("loop_too_short", before_the_first_window(activity))
}

/// The reason comes before older advice.
pub fn jumping() -> Scene {
    Scene::new("jumping", View { activity: Activity::Obstructed(Obstacle::Jumps), ..playing() })
}

pub fn stopping() -> Scene {
    Scene::new("stopping", before_the_first_window(Activity::Obstructed(Obstacle::Stops)))
}

pub fn audio_lost() -> Scene {
    Scene::new("audio_lost", View { activity: Activity::Obstructed(Obstacle::LostAudio), ..playing() })
}

pub fn reference() -> Scene {
    let view = View {
        reference: Some(Reference {
            name: "Pinned at 1:20".to_string(),
            balance: ReferenceBalance::default(),
            levels_lu: lu(-2.0, -5.5, -7.9, -1.2),
            windows: 6,
            songs: 0,
            choices: Vec::new(),
        }),
        undo: Some(Undoable::Reference),
        choices: Choices {
            anchor: Some(Stem::Drums),
            stems: Some(PerStem::all(true).with(Stem::Other, false)),
            model_path: Some("/music/mine.mixbuddy".into()),
        },
        model: ModelStatus { name: "mine 2.1.0".to_string(), dropped_s: 1.25, ..model() },
        ..playing()
    };
    Scene::new("reference", view)
}

pub fn measuring() -> Scene {
    Scene::new("measuring", View { reference_progress: Some(0.42), activity: Activity::Paused, ..playing() })
}

pub fn selected() -> Scene {
    let mut scene = Scene::new("selected", playing());
    scene.state.selected = scene.view.history.iter().find(|mark| mark.start_s == 30.0).map(|mark| mark.order);
    scene
}

pub fn focused() -> Scene {
    Scene { focus: Some("Load reference…"), ..Scene::new("focused", playing()) }
}

pub fn focused_timeline() -> Scene {
    Scene { focus: Some("Timeline, "), ..selected().light().named("focused_timeline") }
}

pub fn answered() -> Scene {
    let answer = Answered {
        question: "how is my bass?".to_string(),
        written: String::new(),
        advice: Some(off(Stem::Bass, 3.0, 0.58, "The bass could come up a little. Raise it by about 3 dB.")),
    };
    let mut scene = Scene::new("answered", View { answer: Some(answer), ..playing() });
    scene.state.question = "and the drums?".to_string();
    scene
}

pub fn asked() -> Scene {
    let answer = Answered { question: "how is my bass?".to_string(), written: String::new(), advice: None };
    Scene::new("asked", View { answer: Some(answer), ..playing() })
}

pub fn notices() -> Scene {
    let notice = |id, is_error, text: &str| Notice { id, is_error, text: text.to_string() };
    let notices = vec![
        notice(1, false, "Report saved: /music/report.md."),
        notice(2, true, "/music/long.wav: is longer than an hour. Choose one song."),
        notice(3, false, "CUDA failed (out of memory). The model runs on the CPU now."),
        notice(
            4,
            true,
            "/home/somebody/Music/Mixes/2026/Autumn/A Very Long Folder Name/final final 7 (really).wav: contains no vocals, \
             drums or bass to measure.",
        ),
    ];
    Scene::new("notices", View { notices, ..playing() })
}

/// Behind a limiter.
pub fn limited() -> Scene {
    let mut scene = advice().named("limited");
    scene.view.meters =
        Meters { is_limited: true, true_peak_dbtp: Some(-0.3), range_lu: None, ..scene.view.meters };
    scene
}

pub fn path_box() -> Scene {
    let mut scene = Scene::new("path_box", playing());
    let mut opened = mixing_buddy::panel::path_box::PathBox::open(
        mixing_buddy::panel::path_box::Purpose::Reference,
        &scene.state.dialogs,
    );
    opened.path = "/music/reference.flac".to_string();
    scene.state.path_box = Some(opened);
    scene
}

pub fn look() -> Scene {
    let mut scene = Scene::new("look", playing()).light();
    scene.state.look_open = true;
    scene
}

/// The list of keys.
pub fn keys() -> Scene {
    let mut scene = Scene::new("keys", playing());
    scene.state.keys_open = true;
    scene
}

/// The host maps a knob to the threshold and automates the hop.
pub fn indicated() -> Scene {
    let mut scene = advice().named("indicated");
    scene.state.indications.threshold.mapped_to = Some("Knob 3".into());
    scene.state.indications.threshold.automation = Automation::Playing;
    scene.state.indications.hop.automation = Automation::Present;
    scene
}

/// A host that names the track.
pub fn on_a_track() -> Scene {
    let mut scene = Scene::new("on_a_track", playing());
    scene.state.track = Some(Track { name: "Master".to_string(), colour_rgb: Some([0x9B, 0x59, 0xB6]) });
    scene
}

/// The longest texts in the smallest window.
pub fn long_words() -> Scene {
    let mut scene = reference().smallest().named("long_words");
    let text = "The vocals are far too quiet for everything that is going on around them in this part. \
                Raise them by about 12 dB.";
    let newest = mark(1000, 3595.0, off(Stem::Vocals, 12.0, 0.98, text));
    scene.view.newest = Some(newest.clone());
    scene.view.history = Arc::new(vec![newest]);
    if let Some(reference) = &mut scene.view.reference {
        reference.name =
            "A Very Long Name of a Reference Song (Remastered, Extended, Radio Edit).flac".to_string();
    }
    scene.view.model.name = "a-model-with-a-long-name-for-testing 12.34.56-nightly".to_string();
    scene
}
