//! The states of the panel, written by hand.

use super::Recorder;
use super::song::{
    before_the_first_window, lu, mark, model, off, plain, playing, unsure, usual, with_newest,
};
use mixing_buddy::library::{LibraryView, Measuring};
use mixing_buddy::panel::PanelState;
use mixing_buddy::panel::dialog::Dialogs;
use mixing_buddy::settings::{DEFAULT_SIZE_PT, Hop, Look, MIN_SIZE_PT, Settings, Theme};
use mixing_buddy::since::{Since, Standing};
use mixing_buddy::view::{Activity, Answered, Choices, Mark, ModelStatus, Notice, Obstacle, Reference, View};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::passes::{Change, Followed, Move, Outcome};
use mixing_buddy_core::profile::{Choice, Group, Listing, Part, SongLevels};
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
        path_box(),
        look(),
        library(),
        library().light().named("library_light"),
        library().smallest().scaled(200).named("library_smallest_200"),
        measuring_songs(),
        confirmed(),
        confirmed().light().named("confirmed_light"),
        confirmed().smallest().scaled(200).named("confirmed_smallest_200"),
        overdone(),
        other_take(),
        automation().light(),
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
        can_undo_reference: true,
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

fn song_levels(digit: char, name: &str) -> SongLevels {
    SongLevels {
        id: digit.to_string().repeat(32).parse().expect("32 digits identify a song"),
        name: name.to_string(),
        model: "compact 0.1.0".to_string(),
        balance: ReferenceBalance::of_levels(PerStem::all(Some(-5.0))),
        levels_lu: lu(-3.2, -4.8, -8.1, -1.9),
    }
}

/// Songs and groups, two of them aimed at.
pub fn library() -> Scene {
    let songs: Vec<SongLevels> = ('a'..='f')
        .zip([
            "Blue Hour.flac",
            "Kitchen Lights.wav",
            "Northbound.mp3",
            "Paper Boats.flac",
            "Slow Tide.wav",
            "The Long Way Home, Remastered and Extended.flac",
        ])
        .map(|(digit, name)| song_levels(digit, name))
        .collect();
    let mut pop = Group::new("my pop records");
    songs.iter().take(4).for_each(|song| pop.put(song.id.clone(), 1.0));
    let choices = vec![
        Choice { part: Part::Group(pop.name.clone()), weight: 2.0 },
        Choice { part: Part::Song(songs[4].id.clone()), weight: 1.0 },
    ];
    let reference = Reference {
        name: "my pop records + Slow Tide.wav".to_string(),
        balance: ReferenceBalance::default(),
        levels_lu: lu(-3.2, -4.8, -8.1, -1.9),
        windows: 108,
        songs: 5,
        choices,
    };
    let listing = Arc::new(Listing { songs, groups: vec![pop], problems: Vec::new() });
    let view = View {
        reference: Some(reference),
        library: LibraryView { listing: Some(listing), measuring: None },
        can_undo_reference: true,
        ..playing()
    };
    let mut scene = Scene::new("library", view);
    scene.state.library_open = true;
    scene
}

pub fn measuring_songs() -> Scene {
    let measuring = Measuring { name: "Northbound.mp3".to_string(), number: 3, of: 12, part: 0.4 };
    let library = LibraryView { listing: None, measuring: Some(measuring) };
    Scene::new("measuring_songs", View { library, ..playing() })
}

fn since(
    name: &'static str,
    change: Change,
    followed: Option<Followed>,
    standing: Option<Standing>,
) -> Scene {
    let mut view = playing();
    if followed.is_some_and(|followed| followed.outcome == Outcome::Done) {
        let mut advice = plain(Verdict::NoError, 0.77, "The balance is right.");
        advice.levels_lu = lu(-3.9, -6.1, -8.8, -0.6);
        view = with_newest(advice);
    }
    view.since = Some(Since { change, places: 3, followed, standing });
    let history = view.history.iter().map(|mark| {
        let is_vocals = mark.advice.stem == Some(Stem::Vocals);
        Arc::new(Mark { followed: followed.filter(|_| is_vocals), ..(**mark).clone() })
    });
    view.history = Arc::new(history.collect());
    Scene::new(name, view)
}

fn vocals_moved(name: &'static str, gain_db: f32, beyond_db: f32) -> Scene {
    let moved = Move { stem: Stem::Vocals, gain_db, sd_db: 0.6 };
    let followed = Followed::of(&moved, Stem::Vocals, -4.0, Some(1.0));
    let standing = Standing { stem: Stem::Vocals, beyond_db, is_reference: false };
    since(name, Change::Moved(moved), followed, Some(standing))
}

pub fn confirmed() -> Scene {
    vocals_moved("confirmed", -3.8, 0.0)
}

pub fn overdone() -> Scene {
    vocals_moved("overdone", -7.5, -2.2)
}

pub fn other_take() -> Scene {
    since("other_take", Change::OtherTake, None, None)
}

pub fn automation() -> Scene {
    since("automation", Change::Uneven { stem: Stem::Drums, least_db: -6.2, most_db: 0.0 }, None, None)
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
