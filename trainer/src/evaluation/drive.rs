//! Runs the benchmark: song by song, each kept when it is done.
//!
//! Two songs' sound is in memory at a time: one is read while the other is analyzed. Where the control with shuffled sound
//! must be asked, a song's analyses are kept until the next song is done, and the last song is analyzed for the first one.

use super::advisor::{Advisor, Progress, Settings};
use super::asking::{SongAnalysis, analyze_song, ask_about_song, needs_other_song};
use super::extras::Extras;
use super::figures::report_of;
use super::judges::NormsSource;
use super::records::{Answers, SongRecord, WindowRecord};
use super::report::Report;
use crate::mixing::loaders::{LoadAhead, Share, load_ahead};
use crate::part::Part;
use crate::protocol::SongAudio;
use anyhow::{Result, bail};
use std::sync::Mutex;

/// A song that is read when it is needed.
pub struct SongSource<'a> {
    name: String,
    load: Box<dyn Fn() -> Result<SongAudio> + Send + Sync + 'a>,
}

impl<'a> SongSource<'a> {
    /// A song that `load` reads.
    pub fn new(name: String, load: impl Fn() -> Result<SongAudio> + Send + Sync + 'a) -> Self {
        SongSource { name, load: Box::new(load) }
    }

    /// A song in memory.
    pub fn in_memory(song: SongAudio) -> Self {
        SongSource { name: song.name.clone(), load: Box::new(move || Ok(song.clone())) }
    }

    /// Name of the song.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Everything that was measured and answered, and what follows from it.
pub struct Evaluation {
    /// The figures.
    pub report: Report,
    /// What they follow from.
    pub records: Vec<SongRecord>,
}

/// Runs the benchmark on `songs`. A song that cannot be read is left out. `progress` may stop it with an error.
///
/// Where records are kept, each song's record is kept as soon as it is done, and songs with a record are not run again. The report is
/// the same as without an interruption.
///
/// # Errors
/// When no song can be used, or the advisor fails.
pub fn evaluate<A: Advisor>(
    songs: &[SongSource<'_>],
    advisor: &A,
    settings: &Settings,
    norms: &NormsSource,
    extras: Extras<'_>,
    progress: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<Evaluation> {
    let records = records_of(songs, Part::WHOLE, advisor, settings, extras, progress)?;
    if records.iter().all(|record| record.left_out.is_some()) {
        let reason = records.iter().find_map(|record| record.left_out.as_deref().zip(Some(&record.song)));
        let first = reason.map_or(String::new(), |(reason, song)| format!("; {song}: {reason}"));
        bail!("no song has a window in which all four stems play: nothing to evaluate{first}");
    }
    let report = report_of(advisor.name(), &records, settings, norms, advisor.meter_sd_db());
    Ok(Evaluation { report, records })
}

/// The records of a part of `songs`, which are kept where [`evaluate`] looks for them. When all parts are done, and their
/// records are in one folder, it makes the same report as if it had run alone.
///
/// # Errors
/// When the advisor fails.
pub fn records_of<A: Advisor>(
    songs: &[SongSource<'_>],
    part: Part,
    advisor: &A,
    settings: &Settings,
    extras: Extras<'_>,
    progress: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<Vec<SongRecord>> {
    let kept = extras.kept;
    let range = part.range(songs.len() as u64);
    let numbers = range.start as usize..range.end as usize;
    let records: Vec<(usize, Option<SongRecord>)> =
        numbers.map(|at| (at, kept.and_then(|kept| kept.read(&songs[at].name)))).collect();
    let to_read: Vec<usize> = records.iter().filter(|(_, kept)| kept.is_none()).map(|(at, _)| *at).collect();
    // One song is read while another is analyzed.
    let plan = LoadAhead { threads: 1, ahead: 1, numbers: 0..to_read.len() as u64, share: Share::ALL };
    load_ahead(
        plan,
        // A song that cannot be read must not stop the others.
        |number| Ok((songs[to_read[number as usize]].load)()),
        |loaded| {
            let mut next = 0;
            let mut read = || {
                next += 1;
                loaded.take(next - 1)
            };
            let mut run = Run {
                songs,
                advisor,
                settings,
                extras,
                progress,
                without_audio: Mutex::default(),
                windows: 0,
                samples: 0,
                done: 0,
            };
            run.all(records, &mut read)
        },
    )
}

struct Run<'a, 'b, A: Advisor> {
    songs: &'a [SongSource<'b>],
    advisor: &'a A,
    settings: &'a Settings,
    extras: Extras<'a>,
    progress: &'a mut dyn FnMut(&Progress) -> Result<()>,
    without_audio: Mutex<Answers>,
    windows: usize,
    samples: usize,
    done: usize,
}

/// A song that the next one may need: its analyses, or its number where only its record is known.
enum Before<A> {
    Analyzed(SongAnalysis<A>),
    Recorded(usize),
}

impl<A: Advisor> Run<'_, '_, A> {
    /// The records of songs, with their numbers. `read` gives the sound of the next song without a record.
    fn all(
        &mut self,
        records: Vec<(usize, Option<SongRecord>)>,
        read: &mut dyn FnMut() -> Result<Result<SongAudio>>,
    ) -> Result<Vec<SongRecord>> {
        let mut before: Option<Before<A::Analysis>> = None;
        let mut done = Vec::with_capacity(records.len());
        for (at, record) in records {
            if let Some(record) = record {
                if record.left_out.is_none() {
                    before = Some(Before::Recorded(at));
                }
                done.push(record);
                continue;
            }
            let analyzed = match read()? {
                Ok(song) => self.analyze(&song)?,
                Err(error) => Err(format!("it cannot be read: {error:#}")),
            };
            done.push(match analyzed {
                Err(reason) => self.keep(at, Some(reason), Vec::new())?,
                Ok(analysis) => {
                    let other = match before.take() {
                        _ if !needs_other_song(self.settings.protocol) => None,
                        Some(before) => Some(self.analyzed(before)?),
                        None => self.usable_before(at)?,
                    };
                    let record = self.ask(at, &analysis, other.as_ref())?;
                    before = Some(Before::Analyzed(analysis));
                    record
                }
            });
        }
        Ok(done)
    }

    /// The nearest song before the `at`th that can be used, where the last song stands before the first one. So the song whose
    /// sound is shuffled with another's depends on the list alone, not on which part of it is run.
    fn usable_before(&mut self, at: usize) -> Result<Option<SongAnalysis<A::Analysis>>> {
        let count = self.songs.len();
        for back in 1..count {
            if let Ok(song) = (self.songs[(at + count - back) % count].load)()
                && let Ok(analysis) = self.analyze(&song)?
            {
                return Ok(Some(analysis));
            }
        }
        Ok(None)
    }

    fn analyzed(&mut self, before: Before<A::Analysis>) -> Result<SongAnalysis<A::Analysis>> {
        match before {
            Before::Analyzed(analysis) => Ok(analysis),
            Before::Recorded(at) => {
                let song = (self.songs[at].load)()?;
                self.analyze(&song)?.map_err(|reason| {
                    anyhow::anyhow!("{}: {reason}, but there are results of it", self.songs[at].name)
                })
            }
        }
    }

    fn analyze(&mut self, song: &SongAudio) -> Result<Result<SongAnalysis<A::Analysis>, String>> {
        let (songs_done, samples_answered) = (self.done, self.samples);
        let (windows, progress) = (&mut self.windows, &mut *self.progress);
        analyze_song(self.advisor, self.settings, self.extras, song, &mut || {
            *windows += 1;
            progress(&Progress {
                song: song.name.clone(),
                songs_done,
                windows_analyzed: *windows,
                samples_answered,
            })
        })
    }

    fn ask(
        &mut self,
        at: usize,
        song: &SongAnalysis<A::Analysis>,
        other: Option<&SongAnalysis<A::Analysis>>,
    ) -> Result<SongRecord> {
        let (songs_done, windows_analyzed) = (self.done, self.windows);
        let (samples, progress) = (&mut self.samples, &mut *self.progress);
        let per_window = self.settings.protocol.samples();
        let windows =
            ask_about_song(self.advisor, self.settings, song, other, &self.without_audio, &mut || {
                *samples += per_window;
                let samples_answered = *samples;
                progress(&Progress {
                    song: song.name.clone(),
                    songs_done,
                    windows_analyzed,
                    samples_answered,
                })
            })?;
        self.keep(at, None, windows)
    }

    fn keep(
        &mut self,
        at: usize,
        left_out: Option<String>,
        windows: Vec<WindowRecord>,
    ) -> Result<SongRecord> {
        self.done += 1;
        let record = SongRecord { song: self.songs[at].name.clone(), left_out, windows };
        // A song that cannot be read or used now may be put right before the next attempt.
        if let Some(kept) = self.extras.kept.filter(|_| record.left_out.is_none()) {
            kept.keep(&record)?;
        }
        Ok(record)
    }
}
