//! The states of the panel, written by hand.

use super::Recorder;
use mixing_buddy::panel::dialog::Dialogs;
use mixing_buddy::panel::PanelState;
use mixing_buddy::settings::{DEFAULT_SIZE_PT, Hop, Look, MIN_SIZE_PT, Settings, Theme};
use mixing_buddy::view::{
    Activity, Answered, Choices, Mark, ModelStatus, Notice, Reference, SongSummary, View,
};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::{Advice, AdviceKind, BestAnswer, PerStem, Stem, Verdict};
use std::sync::Arc;

/// A view, the panel's own state, and the size of the window.
pub struct Scene {
    pub name: &'static str,
    pub view: View,
    pub state: PanelState,
    pub recorder: Recorder,
    pub size_pt: [f32; 2],
    /// What has the keyboard's focus.
    pub focus: Option<&'static str>,
}

impl Scene {
    fn new(name: &'static str, view: View) -> Scene {
        // No dialog of the machine's own may open while tests run.
        let dialogs = Dialogs::Program("mixing-buddy-has-no-dialog-here".into(), Vec::new());
        Scene {
            name,
            view,
            state: PanelState { dialogs, ..PanelState::default() },
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
        path_box(),
        look(),
        long_words(),
    ]
}

fn usual() -> PerStem<(f32, f32)> {
    PerStem { vocals: (-8.6, -1.4), drums: (-10.2, -2.6), bass: (-12.4, -4.2), other: (-5.8, 3.1) }
}

fn levels() -> PerStem<Option<f32>> {
    PerStem { vocals: Some(1.9), drums: Some(-5.1), bass: Some(-8.3), other: Some(-4.0) }
}

fn model() -> ModelStatus {
    ModelStatus {
        name: "compact 0.1.0".to_string(),
        device: "CPU".to_string(),
        window_ms: Some(412.0),
        dropped_s: 0.0,
        threshold: 0.6,
    }
}

/// An advice on a stem that is off by `-gain_db`.
pub fn off(stem: Stem, gain_db: f32, confidence: f32, text: &str) -> Advice {
    let direction =
        if gain_db > 0.0 { mixing_buddy_core::Direction::Quiet } else { mixing_buddy_core::Direction::Loud };
    let verdict = Verdict::of_error(direction, gain_db);
    Advice {
        kind: AdviceKind::Balance,
        verdict,
        stem: Some(stem),
        gain_db: Some(gain_db),
        gain_db_sd: Some(1.3),
        confidence,
        best: BestAnswer { verdict, stem: Some(stem), gain_db: Some(gain_db) },
        levels_lu: levels(),
        text: text.to_string(),
    }
}

fn plain(verdict: Verdict, confidence: f32, text: &str) -> Advice {
    Advice {
        kind: AdviceKind::Balance,
        verdict,
        stem: None,
        gain_db: None,
        gain_db_sd: None,
        confidence,
        best: BestAnswer { verdict, stem: None, gain_db: None },
        levels_lu: levels(),
        text: text.to_string(),
    }
}

fn unsure() -> Advice {
    let best = BestAnswer { verdict: Verdict::Quiet, stem: Some(Stem::Bass), gain_db: Some(3.0) };
    Advice { best, ..plain(Verdict::Abstain, 0.41, "") }
}

fn vocals_loud() -> Advice {
    off(Stem::Vocals, -4.0, 0.82, "The vocals are a little too loud. Lower them by about 4 dB.")
}

fn mark(order: u64, start_s: f64, advice: Advice) -> Arc<Mark> {
    Arc::new(Mark { start_s, end_s: start_s + 10.0, order, current: true, advice })
}

/// A song of three and a half minutes, played once and, from the second verse on, twice.
pub fn history() -> Vec<Arc<Mark>> {
    let mut history = Vec::new();
    let mut order = 0;
    let mut add = |start_s: f64, current: bool, advice: Advice| {
        order += 1;
        history.push(Arc::new(Mark { start_s, end_s: start_s + 10.0, order, current, advice }));
    };
    for step in 0..28 {
        let advice = match step {
            0 | 1 => plain(Verdict::Silence, 0.0, ""),
            2 | 3 | 9 => unsure(),
            4..=8 => off(Stem::Bass, 4.5, 0.7, "The bass is too quiet. Raise it by about 4.5 dB."),
            10..=14 => off(Stem::Drums, -7.0, 0.9, "The drums are far too loud. Lower them by about 7 dB."),
            15..=20 => plain(Verdict::NoError, 0.75, "The balance is right."),
            _ => vocals_loud(),
        };
        add(f64::from(step) * 5.0, false, advice);
    }
    for step in 12..40 {
        let advice = match step {
            12..=17 => plain(Verdict::NoError, 0.75, "The balance is right."),
            18 | 19 | 26 => unsure(),
            20..=25 => off(Stem::Drums, 3.0, 0.66, "The drums could come up. Raise them by about 3 dB."),
            27..=31 => off(Stem::Bass, -5.0, 0.7, "The bass is too loud. Lower it by about 5 dB."),
            _ => vocals_loud(),
        };
        add(f64::from(step) * 5.0, true, advice);
    }
    history
}

fn playing() -> View {
    let history = history();
    View {
        revision: 7,
        activity: Activity::Filling { filled_s: 6.4 },
        newest: history.last().cloned(),
        agreement: (4, 5),
        song: Some(Arc::new(SongSummary {
            advice: off(
                Stem::Vocals,
                -3.0,
                0.71,
                "The vocals are a little too loud. Lower them by about 3 dB.",
            ),
            windows: 28,
        })),
        history: Arc::new(history),
        levels_lu: levels(),
        usual_lu: usual(),
        can_pin: true,
        model: model(),
        ..View::default()
    }
}

fn before_the_first_window(activity: Activity) -> View {
    View { activity, usual_lu: usual(), model: model(), ..View::default() }
}

fn saying(advice: Advice) -> View {
    let mut view = playing();
    view.levels_lu = advice.levels_lu;
    let newest = mark(1000, 195.0, advice);
    let mut history = view.history.to_vec();
    history.push(newest.clone());
    View { newest: Some(newest), history: Arc::new(history), ..view }
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
        text: "The model \"/music/old.mixbuddy\" is of version 7, and this plugin reads up to version 3."
            .to_string(),
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

/// The default window at twice the size, where the host does not let it grow.
pub fn cramped() -> Scene {
    let mut scene = advice().scaled(200).named("advice_200_in_the_default_window");
    scene.size_pt = [DEFAULT_SIZE_PT[0] / 2.0, DEFAULT_SIZE_PT[1] / 2.0];
    scene
}

pub fn balanced() -> Scene {
    let mut advice = plain(Verdict::NoError, 0.77, "The balance is right.");
    advice.levels_lu = PerStem { vocals: Some(-3.9), drums: Some(-6.1), bass: Some(-8.8), other: Some(-0.6) };
    Scene::new("balanced", saying(advice))
}

pub fn cannot_tell() -> Scene {
    Scene::new("cannot_tell", saying(unsure()))
}

pub fn cannot_tell_without_vocals() -> Scene {
    let mut advice = unsure();
    advice.levels_lu.vocals = None;
    Scene::new("cannot_tell_without_vocals", saying(advice))
}

pub fn silence() -> Scene {
    let mut advice = plain(Verdict::Silence, 0.0, "");
    advice.levels_lu = PerStem::default();
    Scene::new("silence", saying(advice))
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

pub fn reference() -> Scene {
    let view = View {
        reference: Some(Reference {
            name: "Pinned at 1:20".to_string(),
            balance: ReferenceBalance { level_db: PerStem::default() },
            levels_lu: PerStem { vocals: Some(-2.0), drums: Some(-5.5), bass: Some(-7.9), other: Some(-1.2) },
            windows: 6,
        }),
        can_undo_reference: true,
        choices: Choices {
            anchor: Some(Stem::Drums),
            stems: Some(PerStem { vocals: true, drums: true, bass: true, other: false }),
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
        advice: Some(off(Stem::Bass, 3.0, 0.58, "The bass could come up a little. Raise it by about 3 dB.")),
    };
    let mut scene = Scene::new("answered", View { answer: Some(answer), ..playing() });
    scene.state.question = "and the drums?".to_string();
    scene
}

pub fn asked() -> Scene {
    let answer = Answered { question: "how is my bass?".to_string(), advice: None };
    Scene::new("asked", View { answer: Some(answer), ..playing() })
}

pub fn notices() -> Scene {
    let notice = |id, is_error, text: &str| Notice { id, is_error, text: text.to_string() };
    let notices = vec![
        notice(1, false, "Saved \"/music/report.md\" and \"/music/report.json\"."),
        notice(2, true, "\"/music/long.wav\" is 3 hours long; references are read up to 30 minutes."),
        notice(3, false, "The GPU failed once; the model runs on the CPU now."),
        notice(
            4,
            true,
            "The reference \"/home/somebody/Music/Mixes/2026/Autumn/A Very Long Folder Name/final final 7 (really).wav\" \
             disappeared while it was read. Your balance stays as it was.",
        ),
    ];
    Scene::new("notices", View { notices, ..playing() })
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

/// Everything as long as it gets, in the smallest window.
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
