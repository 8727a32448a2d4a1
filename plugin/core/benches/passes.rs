//! How well two passes are compared: `cargo bench --workspace --bench passes`, with folders of stems (`vocals.flac`,
//! `drums.ogg` …) after `--`; without, the demo. `--bundle PATH` takes another model.
//!
//! Of each song, windows 10 s apart. In each, one fader is moved by ±3 and ±6 dB, one stem is muted, and one is replaced by
//! its own sound from 10 s later, at the same level: another take. Printed: the error of the shift in relation to the
//! error that the meter expects, how far the prints move both ways, and what [`compare`] tells.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark's results are its output")]

use mixing_buddy_core::audio::{StereoPcm, decode_at_rate};
use mixing_buddy_core::passes::{Change, Place, Print, compare};
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Stem};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Windows of each song.
const WINDOWS: usize = 3;
/// A stem that is quieter than this against the rest is not moved: its level means little.
const QUIETEST_DB: f64 = -15.0;

#[derive(Default)]
struct Table {
    /// Kind of change and what was told of it.
    told: BTreeMap<(String, String), usize>,
    /// Errors of the shift of the moved stem, divided by the mean expected error, and in dB.
    standardized: Vec<f64>,
    shift_errors_db: Vec<f64>,
    gain_errors_db: Vec<f64>,
    /// How far prints move both ways in dB, after moves and of other takes.
    same: Vec<f64>,
    other: Vec<f64>,
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let bundle = arguments.iter().position(|a| a == "--bundle").map(|at| {
        arguments.remove(at);
        PathBuf::from(arguments.remove(at))
    });
    let mut folders: Vec<PathBuf> =
        arguments.iter().filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    if folders.is_empty() {
        folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo")];
    }
    let engine = Engine::open(bundle.as_deref(), &CancelFlag::new()).unwrap();
    let mut table = Table::default();
    for folder in &folders {
        song(&engine, folder, &mut table);
    }
    table.print();
}

fn song(engine: &Engine, folder: &Path, table: &mut Table) {
    let rate_hz = engine.info().features.sample_rate_hz;
    let stems: PerStem<Option<StereoPcm>> = PerStem::from_fn(|stem| {
        let path = ["ogg", "flac", "wav"].map(|ext| folder.join(format!("{stem}.{ext}")));
        let path = path.into_iter().find(|path| path.exists())?;
        Some(decode_at_rate(&path, rate_hz, &CancelFlag::new()).unwrap())
    });
    let window = engine.info().features.window_samples();
    let frames = stems.iter().filter_map(|(_, pcm)| pcm.as_ref().map(StereoPcm::len)).min().unwrap();
    // The last window is left for other takes.
    let starts: Vec<usize> = (0..frames.saturating_sub(2 * window)).step_by(window).collect();
    let step = starts.len().div_ceil(WINDOWS).max(1);
    let mix = |start: usize, gain: &PerStem<f32>, other_take: Option<Stem>| -> Option<Pass> {
        let mut sum = [vec![0f32; window], vec![0f32; window]];
        for (stem, pcm) in stems.iter() {
            let Some(pcm) = pcm else { continue };
            let at = if other_take == Some(stem) { start + window } else { start };
            let level =
                if at == start { 1.0 } else { (power(pcm, start, window) / power(pcm, at, window)).sqrt() };
            if !level.is_finite() {
                return None;
            }
            for (sum, channel) in sum.iter_mut().zip([&pcm.left, &pcm.right]) {
                let gain = gain[stem] * level as f32;
                sum.iter_mut().zip(&channel[at..at + window]).for_each(|(sum, x)| *sum += gain * x);
            }
        }
        let [left, right] = sum;
        let cancel = CancelFlag::new();
        let power = engine.feature_stream().unwrap().whole(&left, &right, &cancel).unwrap();
        Some(Pass { print: Print::of(&power), analysis: engine.analyze_power(&power, &cancel).unwrap() })
    };
    for start in starts.into_iter().step_by(step) {
        let powers = stems.map(|pcm| pcm.as_ref().map_or(0.0, |pcm| power(pcm, start, window)));
        let total: f64 = powers.iter().map(|(_, power)| power).sum();
        let Some(before) = mix(start, &PerStem::all(1.0), None) else { continue };
        for stem in Stem::TARGETS {
            let level_db = 10.0 * (powers[stem] / (total - powers[stem])).log10();
            if level_db.is_nan() || level_db < QUIETEST_DB || before.analysis.level_db(stem).is_none() {
                continue;
            }
            for gain_db in [-6.0, -3.0, 3.0, 6.0] {
                let gain = PerStem::all(1.0).with(stem, 10f32.powf(gain_db / 20.0));
                let after = mix(start, &gain, None).unwrap();
                table.moved(stem, gain_db, &before, &after);
            }
            let muted = mix(start, &PerStem::all(1.0).with(stem, 0.0), None).unwrap();
            table.tell(&format!("{stem} muted"), &before, &muted);
            if let Some(other) = mix(start, &PerStem::all(1.0), Some(stem)) {
                table
                    .other
                    .extend(before.print.tails(&other.print).map(|tails| f64::from(tails.both_ways_db())));
                table.tell("another take", &before, &other);
            }
            // Two faders at once, in opposite directions.
            let second = if stem == Stem::Vocals { Stem::Drums } else { Stem::Vocals };
            let both = PerStem::all(1.0).with(stem, 0.5).with(second, 2.0);
            table.tell("two faders", &before, &mix(start, &both, None).unwrap());
        }
        // The whole mix louder is no change; a sample later is the same place.
        table.tell("all 6 dB louder", &before, &mix(start, &PerStem::all(2.0), None).unwrap());
        table.tell("50 ms later", &before, &mix(start + window / 200, &PerStem::all(1.0), None).unwrap());
    }
}

/// A window in one pass.
struct Pass {
    analysis: Analysis,
    print: Print,
}

fn place<'a>(before: &'a Pass, after: &'a Pass) -> Place<'a> {
    Place {
        before: &before.analysis,
        after: &after.analysis,
        before_print: Some(&before.print),
        after_print: Some(&after.print),
    }
}

fn power(pcm: &StereoPcm, start: usize, frames: usize) -> f64 {
    let channels = [&pcm.left, &pcm.right];
    channels.iter().flat_map(|c| &c[start..start + frames]).map(|x| f64::from(x * x)).sum()
}

impl Table {
    fn moved(&mut self, stem: Stem, gain_db: f32, before: &Pass, after: &Pass) {
        if let (Some(from), Some(to)) = (before.analysis.level_db(stem), after.analysis.level_db(stem)) {
            let error = f64::from(to - from - gain_db);
            let expected = 0.5
                * f64::from(before.analysis.reading[stem].error_db + after.analysis.reading[stem].error_db);
            self.shift_errors_db.push(error);
            self.standardized.push(error / expected);
        }
        self.same.extend(before.print.tails(&after.print).map(|tails| f64::from(tails.both_ways_db())));
        let kind = format!("fader moved by {} dB", gain_db.abs());
        let change = compare(&[place(before, after)]);
        if let Change::Moved(moved) = &change
            && moved.stem == stem
        {
            self.gain_errors_db.push(f64::from(moved.gain_db - gain_db));
        }
        let told = match &change {
            Change::Moved(moved) if moved.stem == stem && moved.gain_db * gain_db > 0.0 => {
                "moved, right".to_string()
            }
            Change::Moved(_) => "moved, wrong".to_string(),
            change => name(change),
        };
        *self.told.entry((kind, told)).or_default() += 1;
    }

    fn tell(&mut self, kind: &str, before: &Pass, after: &Pass) {
        let told = name(&compare(&[place(before, after)]));
        *self.told.entry((kind.to_string(), told)).or_default() += 1;
    }

    fn print(&mut self) {
        for ((kind, told), count) in &self.told {
            let all: usize = self.told.iter().filter(|((k, _), _)| k == kind).map(|(_, count)| count).sum();
            println!("{kind:<24} {told:<20} {count:>5} of {all}");
        }
        row("error of a shift, dB", &mut self.shift_errors_db);
        row("  divided by the expected error", &mut self.standardized);
        row("error of the told gain, dB", &mut self.gain_errors_db);
        row("both ways in dB, moved", &mut self.same);
        row("both ways in dB, other take", &mut self.other);
    }
}

fn row(what: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let count = values.len().max(1) as f64;
    let rms = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
    let at = |part: f64| values.get((part * (count - 1.0)) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "{what:<36} n {:>5}  rms {rms:.2}  5 % {:.2}  50 % {:.2}  95 % {:.2}",
        values.len(),
        at(0.05),
        at(0.5),
        at(0.95)
    );
}

fn name(change: &Change) -> String {
    match change {
        Change::Nothing { .. } => "nothing".into(),
        Change::Moved(_) => "moved".into(),
        Change::Vanished(stem) => format!("{stem} vanished"),
        Change::Appeared(_) => "appeared".into(),
        Change::OtherTake => "other take".into(),
        Change::Uneven { .. } => "uneven".into(),
        Change::Several(_) => "several".into(),
        Change::Unclear => "unclear".into(),
        Change::Incomparable => "incomparable".into(),
    }
}
