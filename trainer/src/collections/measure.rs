//! Levels, gate figures and checks of one song, from its audio.

use super::align::{Place, place_of};
use super::index::{
    Checks, ChunkEntry, FLOOR_DBFS, FileEntry, MeasuredSong, PAIR_COUNT, PAIRS, SongEntry, SongFiles,
};
use super::layouts::{FoundSong, Track};
use super::reader::{CHUNK_S, Chunk, SongReader};
use crate::protocol::{ACTIVE_FRAME_DBFS, FRAMES_PER_SECOND};
use anyhow::{Result, bail, ensure};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::{PerStem, Stem};
use std::path::Path;

/// A class that is above this RMS level in no chunk is silent. Chosen, not tuned.
const SILENCE_DBFS: f64 = -60.0;
/// A larger gain between finished mix and stems gets a warning. Chosen, not tuned.
const NOTED_GAIN_DB: f64 = 0.5;

/// Reads a song once and measures it.
///
/// `sum_tolerance_db` is the largest power of the difference between the finished mix and the stems' sum, against that
/// mix.
///
/// # Errors
/// When a file is damaged, the files differ in length, a stem is shifted against the finished mix, the stems do not sum
/// to it, or fewer than two classes have sound.
pub fn measure_song(root: &Path, found: &FoundSong, sum_tolerance_db: f64) -> Result<MeasuredSong> {
    let stamp = |track: &Track| FileEntry::stamp(root, &track.path, track.track);
    let mut files = SongFiles::default();
    for stem in Stem::ALL {
        files.stems[stem] = found.stems[stem].iter().map(stamp).collect::<Result<_>>()?;
    }
    files.mixture = found.mixture.as_ref().map(stamp).transpose()?;

    let mut reader = SongReader::open(root, &files)?;
    let rate_hz = reader.rate_hz();
    let mut song = Tally::default();
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        let power = Powers::of(&chunk);
        song.add(&chunk, &power);
        if chunk.len() == CHUNK_S as usize * rate_hz as usize {
            chunks.push(power.entry(&chunk));
        }
    }
    ensure!(song.frames > 0, "its files hold no sound");
    let mut warnings = found.warnings.clone();
    warnings.extend_from_slice(reader.warnings());
    let silent: Vec<Stem> = Stem::ALL
        .into_iter()
        .filter(|stem| !files.stems[*stem].is_empty() && song.loudest_dbfs[stem.index()] < SILENCE_DBFS)
        .collect();
    warnings.extend(silent.iter().map(|stem| format!("{stem} is silent")));
    let audible =
        Stem::ALL.into_iter().filter(|s| !files.stems[*s].is_empty() && !silent.contains(s)).count();
    match audible {
        0 => bail!("all its stems are silent"),
        1 => bail!("only one of its stems is not silent; a balance needs two"),
        _ => {}
    }
    let mut checks = Checks { silent, warnings, ..Checks::default() };
    if let Some(mixture) = &files.mixture {
        song.check_against_mixture(rate_hz, &mixture.path, sum_tolerance_db, &mut checks)?;
    } else {
        checks.warnings.push("there is no finished mix to check the stems against".into());
    }
    let samples = (2 * song.frames) as f64;
    let entry = SongEntry {
        name: found.name.clone(),
        split: found.split.clone(),
        rate_hz,
        duration_s: round(song.frames as f64 / f64::from(rate_hz), 1e4),
        level_dbfs: PerStem::from_fn(|stem| {
            (!files.stems[stem].is_empty()).then(|| dbfs(song.stems[stem.index()] / samples))
        }),
        files,
        mix_dbfs: dbfs(song.sum / samples),
        checks,
        chunks: 0..chunks.len(),
    };
    Ok(MeasuredSong { entry, chunks })
}

fn round(value: f64, grain: f64) -> f64 {
    (value * grain).round() / grain
}

/// A mean power as a level, rounded to a ten-thousandth of a dB.
fn dbfs(power: f64) -> f64 {
    round((10.0 * power.max(1e-30).log10()).max(FLOOR_DBFS), 1e4)
}

/// Sum of products over both channels, in double precision, since such sums are subtracted from each other.
fn product(a: &StereoPcm, b: &StereoPcm) -> f64 {
    const LANES: usize = 8;
    let side = |a: &[f32], b: &[f32]| -> f64 {
        let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let rest: f64 =
            a.remainder().iter().zip(b.remainder()).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let mut sums = [0.0f64; LANES];
        for (a, b) in a.zip(b) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
        sums.iter().sum::<f64>() + rest
    };
    side(&a.left, &b.left) + side(&a.right, &b.right)
}

/// Sums of squares and products over one chunk.
struct Powers {
    stems: [f64; Stem::COUNT],
    pairs: [f64; PAIR_COUNT],
    sum: f64,
}

impl Powers {
    fn of(chunk: &Chunk) -> Self {
        let stems = Stem::ALL.map(|stem| chunk.stems[stem].as_ref().map_or(0.0, |pcm| product(pcm, pcm)));
        let pairs = PAIRS.map(|(a, b)| match (&chunk.stems[a], &chunk.stems[b]) {
            (Some(a), Some(b)) => product(a, b),
            _ => 0.0,
        });
        let sum = stems.iter().sum::<f64>() + 2.0 * pairs.iter().sum::<f64>();
        Powers { stems, pairs, sum: sum.max(0.0) }
    }

    fn entry(&self, chunk: &Chunk) -> ChunkEntry {
        let samples = (2 * chunk.len()) as f64;
        let correlation = std::array::from_fn(|pair| {
            let (a, b) = PAIRS[pair];
            let scale = (self.stems[a.index()] * self.stems[b.index()]).sqrt();
            if scale > 0.0 { (self.pairs[pair] / scale).clamp(-1.0, 1.0) as f32 } else { 0.0 }
        });
        ChunkEntry {
            level_dbfs: self.stems.map(|power| dbfs(power / samples) as f32),
            mix_dbfs: dbfs(self.sum / samples) as f32,
            active_share: Stem::ALL.map(|stem| chunk.stems[stem].as_ref().map_or(0.0, active_share)),
            correlation,
        }
    }
}

/// Share of the 50 ms frames over [`ACTIVE_FRAME_DBFS`].
fn active_share(pcm: &StereoPcm) -> f32 {
    let frame = (pcm.sample_rate_hz / FRAMES_PER_SECOND).max(1) as usize;
    let limit = 10f64.powf(ACTIVE_FRAME_DBFS / 10.0) * (2 * frame) as f64;
    let (left, right) = (pcm.left.chunks_exact(frame), pcm.right.chunks_exact(frame));
    let frames = left.len();
    let squares = |side: &[f32]| f64::from(side.iter().map(|x| x * x).sum::<f32>());
    let active = left.zip(right).filter(|(l, r)| squares(l) + squares(r) > limit).count();
    (active as f64 / frames.max(1) as f64) as f32
}

/// Sums over a whole song.
#[derive(Default)]
struct Tally {
    frames: u64,
    stems: [f64; Stem::COUNT],
    sum: f64,
    mixture: f64,
    mixture_times_sum: f64,
    loudest_dbfs: [f64; Stem::COUNT],
    /// Each class's loudest chunk.
    excerpts: [Option<Excerpt>; Stem::COUNT],
}

/// A stem and the finished mix over one chunk, in mono.
struct Excerpt {
    power: f64,
    stem: Vec<f32>,
    mixture: Vec<f32>,
}

impl Tally {
    fn add(&mut self, chunk: &Chunk, power: &Powers) {
        if self.frames == 0 {
            self.loudest_dbfs = [FLOOR_DBFS; Stem::COUNT];
        }
        self.frames += chunk.len() as u64;
        self.sum += power.sum;
        for stem in Stem::ALL {
            let (at, own) = (stem.index(), power.stems[stem.index()]);
            self.stems[at] += own;
            self.loudest_dbfs[at] = self.loudest_dbfs[at].max(dbfs(own / (2 * chunk.len()).max(1) as f64));
            if let (Some(pcm), Some(mixture)) = (&chunk.stems[stem], &chunk.mixture)
                && self.excerpts[at].as_ref().is_none_or(|loudest| own > loudest.power)
            {
                self.excerpts[at] = Some(Excerpt { power: own, stem: mono(pcm), mixture: mono(mixture) });
            }
        }
        if let Some(mixture) = &chunk.mixture {
            self.mixture += product(mixture, mixture);
            for (_, pcm) in chunk.stems.iter() {
                self.mixture_times_sum += pcm.as_ref().map_or(0.0, |pcm| product(mixture, pcm));
            }
        }
    }

    fn check_against_mixture(
        &self,
        rate_hz: u32,
        mixture: &Path,
        tolerance_db: f64,
        checks: &mut Checks,
    ) -> Result<()> {
        let name = mixture.display();
        ensure!(self.mixture > 0.0, "{name} is silent, but the stems are not");
        let gain = if self.sum > 0.0 { self.mixture_times_sum / self.sum } else { 0.0 };
        let mut absent = Vec::new();
        for stem in Stem::ALL.into_iter().filter(|stem| !checks.silent.contains(stem)) {
            let Some(excerpt) = &self.excerpts[stem.index()] else { continue };
            match place_of(&excerpt.stem, &excerpt.mixture, rate_hz, gain)? {
                Place::Shifted(shift) => {
                    let side = if shift > 0 { "after" } else { "before" };
                    let shift_ms = shift.unsigned_abs() as f64 / f64::from(rate_hz) * 1e3;
                    bail!("{stem} is not aligned: it is {shift_ms:.0} ms {side} its place in {name}");
                }
                Place::Absent => absent.push(stem.name()),
                Place::Right | Place::NotKnown => {}
            }
        }
        let absent = (!absent.is_empty()).then(|| absent.join(", "));
        let residual = 1.0 - gain * self.mixture_times_sum / self.mixture;
        let residual_db = round((10.0 * residual.max(1e-12).log10()).max(FLOOR_DBFS), 1e2);
        ensure!(
            residual_db <= tolerance_db,
            "its stems do not sum to {name}: the difference is at {residual_db:.1} dB of the mix, at most \
             {tolerance_db:.1} dB is tolerated{}",
            absent.as_ref().map_or(String::new(), |stems| format!("; not in the mix at all: {stems}"))
        );
        if let Some(stems) = absent {
            bail!("{stems} is not in {name} at all");
        }
        let gain_db = round(20.0 * gain.max(1e-6).log10(), 1e2);
        if gain_db.abs() > NOTED_GAIN_DB {
            let word = if gain_db > 0.0 { "louder" } else { "quieter" };
            checks
                .warnings
                .push(format!("{name} is {:.1} dB {word} than the sum of the stems", gain_db.abs()));
        }
        checks.sum_residual_db = Some(residual_db);
        checks.mixture_gain_db = Some(gain_db);
        Ok(())
    }
}

fn mono(pcm: &StereoPcm) -> Vec<f32> {
    pcm.left.iter().zip(&pcm.right).map(|(l, r)| 0.5 * (l + r)).collect()
}
