//! The song that the scenes show: its levels, advice and history.

use mixing_buddy::view::{Activity, Mark, ModelStatus, SongSummary, View};
use mixing_buddy_core::loudness::Meters;
use mixing_buddy_core::{
    Advice, AdviceKind, BestAnswer, DeviceKind, Direction, ModelChoice, PerStem, Stem, Verdict,
};
use std::sync::Arc;

/// Levels of four stems that are all present, in LU.
pub fn lu(vocals: f32, drums: f32, bass: f32, other: f32) -> PerStem<Option<f32>> {
    PerStem::all(Some(other))
        .with(Stem::Vocals, Some(vocals))
        .with(Stem::Drums, Some(drums))
        .with(Stem::Bass, Some(bass))
}

pub fn usual() -> PerStem<(f32, f32)> {
    PerStem::all((-5.8, 3.1))
        .with(Stem::Vocals, (-8.6, -1.4))
        .with(Stem::Drums, (-10.2, -2.6))
        .with(Stem::Bass, (-12.4, -4.2))
}

pub fn levels() -> PerStem<Option<f32>> {
    lu(1.9, -5.1, -8.3, -4.0)
}

/// Stands for the plugin's version, so that pictures outlive it.
pub const VERSION: &str = "0.1.0";

pub fn meters() -> Meters {
    Meters {
        seconds: 82.0,
        integrated_lufs: Some(-14.2),
        short_term_lufs: Some(-13.1),
        range_lu: Some(6.3),
        true_peak_dbtp: Some(-0.8),
        is_limited: false,
    }
}

pub fn model() -> ModelStatus {
    ModelStatus {
        name: "compact 0.1.0".to_string(),
        device: Some(DeviceKind::Cpu),
        window_ms: Some(412.0),
        dropped_s: 0.0,
        threshold: 0.6,
        language: ModelChoice::Compact,
    }
}

/// Advice to change a stem by `gain_db`.
pub fn off(stem: Stem, gain_db: f32, confidence: f32, text: &str) -> Advice {
    let direction = if gain_db > 0.0 { Direction::Quiet } else { Direction::Loud };
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

pub fn plain(verdict: Verdict, confidence: f32, text: &str) -> Advice {
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

pub fn unsure() -> Advice {
    let best = BestAnswer { verdict: Verdict::Quiet, stem: Some(Stem::Bass), gain_db: Some(3.0) };
    Advice { best, ..plain(Verdict::Abstain, 0.41, "") }
}

pub fn vocals_loud() -> Advice {
    off(Stem::Vocals, -4.0, 0.82, "The vocals are a little too loud. Lower them by about 4 dB.")
}

pub fn mark(order: u64, start_s: f64, advice: Advice) -> Arc<Mark> {
    Arc::new(Mark { start_s, end_s: start_s + 10.0, order, current: true, pass: 1, followed: None, advice })
}

/// A song of three and a half minutes, played once and, from the second verse on, twice.
pub fn history() -> Vec<Arc<Mark>> {
    let mut history = Vec::new();
    let mut order = 0;
    let mut add = |start_s: f64, current: bool, advice: Advice| {
        order += 1;
        history.push(Arc::new(Mark {
            start_s,
            end_s: start_s + 10.0,
            order,
            current,
            pass: 1 + u32::from(current),
            followed: None,
            advice,
        }));
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
            20..=25 => off(Stem::Drums, 3.0, 0.66, "The drums are too quiet. Raise them by about 3 dB."),
            27..=31 => off(Stem::Bass, -5.0, 0.7, "The bass is too loud. Lower it by about 5 dB."),
            _ => vocals_loud(),
        };
        add(f64::from(step) * 5.0, true, advice);
    }
    history
}

pub fn playing() -> View {
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
        version: VERSION,
        meters: meters(),
        ..View::default()
    }
}

pub fn before_the_first_window(activity: Activity) -> View {
    View { activity, usual_lu: usual(), model: model(), version: VERSION, ..View::default() }
}

pub fn with_newest(advice: Advice) -> View {
    let mut view = playing();
    view.levels_lu = advice.levels_lu;
    let newest = mark(1000, 195.0, advice);
    let mut history = view.history.to_vec();
    history.push(newest.clone());
    View { newest: Some(newest), history: Arc::new(history), ..view }
}
