//! Decodes all files of a song side by side, chunk by chunk: memory does not grow with the song.

use super::error::SongError;
use super::index::{SongEntry, SongFiles};
use super::layouts::Track;
use crate::protocol::WINDOW_S;
use mixing_buddy_core::audio::{FileStream, ModelRateStream, StereoPcm};
use mixing_buddy_core::{CancelFlag, PerStem, Stem};
use std::path::{Path, PathBuf};

/// Length of a chunk in seconds: that of a window of the published protocol.
pub const CHUNK_S: u32 = WINDOW_S as u32;
/// Stems that end up to this much before the longest are padded with silence; a larger difference is an error. Chosen,
/// not tuned.
pub const PADDING_LIMIT_S: f64 = 1.0;
/// Differences in length up to this one come from rounding at a change of rates. They get no warning.
const ROUNDING_FRAMES: u64 = 2;

/// Ten seconds (the last one less) of all stems of a song.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Number on the song's grid of ten seconds.
    pub index: usize,
    /// Each class, files added up, all of one length; none where it has no file.
    pub stems: PerStem<Option<StereoPcm>>,
    /// The finished mix.
    pub mixture: Option<StereoPcm>,
}

impl Chunk {
    /// Frames per channel.
    pub fn len(&self) -> usize {
        self.stems.iter().find_map(|(_, stem)| stem.as_ref().map(StereoPcm::len)).unwrap_or(0)
    }

    /// Whether there is no frame at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sum of the stems, with a gain in dB on one of them.
    pub fn mix(&self, stem: Stem, gain_db: f64) -> StereoPcm {
        let rate_hz = self.stems.iter().find_map(|(_, pcm)| pcm.as_ref().map(|pcm| pcm.sample_rate_hz));
        let mut sum = StereoPcm::silence(self.len(), rate_hz.unwrap_or(1));
        for (class, pcm) in self.stems.iter() {
            let Some(pcm) = pcm else { continue };
            let gain = if class == stem { 10f64.powf(gain_db / 20.0) as f32 } else { 1.0 };
            for (to, from) in [(&mut sum.left, &pcm.left), (&mut sum.right, &pcm.right)] {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += gain * from);
            }
        }
        sum
    }
}

/// How a song is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The rate in Hz; without one, the highest of the files, so that none loses its treble.
    pub rate_hz: Option<u32>,
    /// By how many seconds files may differ in length; shorter ones are padded with silence.
    pub padding_limit_s: f64,
    /// Stops the work within one packet.
    pub cancel: CancelFlag,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { rate_hz: None, padding_limit_s: PADDING_LIMIT_S, cancel: CancelFlag::new() }
    }
}

impl ReadOptions {
    /// At a rate, until `cancel` is raised.
    pub fn at(rate_hz: u32, cancel: &CancelFlag) -> Self {
        ReadOptions { rate_hz: Some(rate_hz), cancel: cancel.clone(), ..ReadOptions::default() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Stem(Stem),
    Mixture,
}

/// One sound track being decoded, and what of it was not handed on yet.
struct OpenTrack {
    content: Content,
    path: PathBuf,
    stream: ModelRateStream,
    left: Vec<f32>,
    right: Vec<f32>,
    /// Frames decoded so far.
    frames: u64,
    has_ended: bool,
}

impl OpenTrack {
    fn fill(&mut self, frames: usize, cancel: &CancelFlag) -> Result<(), SongError> {
        while !self.has_ended && self.left.len() < frames {
            cancel.check()?;
            let before = self.left.len();
            self.has_ended = !self.stream.next_chunk(&mut self.left, &mut self.right)?;
            self.frames += (self.left.len() - before) as u64;
        }
        Ok(())
    }

    /// Takes the first `frames` frames, padded with silence after the end.
    fn take(&mut self, frames: usize, rate_hz: u32) -> StereoPcm {
        let cut = |side: &mut Vec<f32>| {
            let count = frames.min(side.len());
            let mut taken: Vec<f32> = side.drain(..count).collect();
            taken.resize(frames, 0.0);
            taken
        };
        StereoPcm { left: cut(&mut self.left), right: cut(&mut self.right), sample_rate_hz: rate_hz }
    }
}

/// Reads a song from its beginning.
pub struct SongReader {
    tracks: Vec<OpenTrack>,
    rate_hz: u32,
    padding_limit_s: f64,
    cancel: CancelFlag,
    next: usize,
    warnings: Vec<String>,
}

impl SongReader {
    /// Opens all files of a song. It is read at the highest rate of its files; those of another rate are resampled.
    ///
    /// # Errors
    /// [`SongError::Sound`] when a file is missing or cannot be read, [`SongError::NothingToRead`] without stems.
    pub fn open(root: &Path, files: &SongFiles) -> Result<Self, SongError> {
        Self::open_files(root, files, &ReadOptions::default())
    }

    /// Opens all files of a song of an index, at the rate at which it was measured (earlier versions took the rate of the
    /// finished mix).
    ///
    /// # Errors
    /// As [`SongReader::open`].
    pub fn open_entry(root: &Path, song: &SongEntry) -> Result<Self, SongError> {
        Self::open_files(root, &song.files, &ReadOptions::at(song.rate_hz, &CancelFlag::new()))
    }

    fn open_files(root: &Path, files: &SongFiles, options: &ReadOptions) -> Result<Self, SongError> {
        let mixture = files.mixture.iter().map(|file| (Content::Mixture, file));
        let stems = files.stems.iter();
        let stems = stems.flat_map(|(stem, list)| list.iter().map(move |file| (Content::Stem(stem), file)));
        let tracks = mixture.chain(stems).map(|(content, file)| (content, root.join(&file.path), file.track));
        Self::open_all(tracks, options)
    }

    /// Opens the tracks of a song's stems.
    ///
    /// # Errors
    /// As [`SongReader::open`], and [`mixing_buddy_core::Error::Cancelled`] where the options' flag was raised.
    pub fn open_tracks(stems: &PerStem<Vec<Track>>, options: &ReadOptions) -> Result<Self, SongError> {
        let tracks = stems.iter().flat_map(|(stem, tracks)| {
            tracks.iter().map(move |track| (Content::Stem(stem), track.path.clone(), track.track))
        });
        Self::open_all(tracks, options)
    }

    fn open_all(
        tracks: impl Iterator<Item = (Content, PathBuf, Option<usize>)>,
        options: &ReadOptions,
    ) -> Result<Self, SongError> {
        let mut opened = Vec::new();
        for (content, path, track) in tracks {
            options.cancel.check()?;
            let stream = FileStream::open_track(&path, track)?;
            opened.push((content, path, stream));
        }
        if opened.iter().all(|(content, ..)| *content == Content::Mixture) {
            return Err(SongError::NothingToRead);
        }
        let highest_hz = opened.iter().map(|(_, _, stream)| stream.sample_rate_hz()).max();
        let Some(rate_hz) = options.rate_hz.or(highest_hz) else { return Err(SongError::NothingToRead) };
        let mut warnings = Vec::new();
        let mut tracks = Vec::new();
        for (content, path, file) in opened {
            let own_hz = file.sample_rate_hz();
            if options.rate_hz.is_none() && own_hz != rate_hz {
                let path = path.display();
                warnings.push(format!("{path} is at {own_hz} Hz and was brought to the song's {rate_hz} Hz"));
            }
            let stream = ModelRateStream::of_file(file, rate_hz)?;
            let (left, right) = Default::default();
            tracks.push(OpenTrack { content, path, stream, left, right, frames: 0, has_ended: false });
        }
        let (padding_limit_s, cancel) = (options.padding_limit_s, options.cancel.clone());
        Ok(SongReader { tracks, rate_hz, padding_limit_s, cancel, next: 0, warnings })
    }

    /// Frames per second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// What was corrected so far, each a sentence; files that end early are noted after the last chunk.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The next chunk; none after the last, which may be shorter than the others.
    ///
    /// # Errors
    /// [`SongError::Sound`] when a file is damaged or the work was cancelled, [`SongError::Lengths`] when the files
    /// differ in length by more than the limit.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SongError> {
        let full = CHUNK_S as usize * self.rate_hz as usize;
        for track in &mut self.tracks {
            track.fill(full, &self.cancel)?;
        }
        let frames = self.tracks.iter().map(|track| track.left.len().min(full)).max().unwrap_or(0);
        self.check_lengths()?;
        if frames == 0 {
            return Ok(None);
        }
        let mut chunk = Chunk { index: self.next, stems: PerStem::default(), mixture: None };
        self.next += 1;
        for track in &mut self.tracks {
            let pcm = track.take(frames, self.rate_hz);
            let slot = match track.content {
                Content::Stem(stem) => &mut chunk.stems[stem],
                Content::Mixture => &mut chunk.mixture,
            };
            match slot {
                Some(sum) => sum.add(&pcm)?,
                none => *none = Some(pcm),
            }
        }
        Ok(Some(chunk))
    }

    /// Each class from here to the end of the song, all of one length; none where it has no file. (A class whose files
    /// hold no frame is empty.)
    ///
    /// # Errors
    /// As [`SongReader::next_chunk`].
    pub fn read_to_end(&mut self) -> Result<PerStem<Option<StereoPcm>>, SongError> {
        let has_file = |stem| self.tracks.iter().any(|track| track.content == Content::Stem(stem));
        let rate_hz = self.rate_hz;
        let mut whole = PerStem::from_fn(|stem| has_file(stem).then(|| StereoPcm::silence(0, rate_hz)));
        while let Some(chunk) = self.next_chunk()? {
            for (stem, pcm) in chunk.stems.iter() {
                if let (Some(whole), Some(pcm)) = (&mut whole[stem], pcm) {
                    whole.left.extend_from_slice(&pcm.left);
                    whole.right.extend_from_slice(&pcm.right);
                }
            }
        }
        Ok(whole)
    }

    /// Whether the files that have ended are not much shorter than the others; notes small differences at the
    /// end.
    fn check_lengths(&mut self) -> Result<(), SongError> {
        let seconds = |track: &OpenTrack| track.frames as f64 / f64::from(self.rate_hz);
        let ended = self.tracks.iter().filter(|track| track.has_ended);
        let (Some(short), Some(long)) =
            (ended.min_by_key(|track| track.frames), self.tracks.iter().max_by_key(|track| track.frames))
        else {
            return Ok(());
        };
        let (short_s, long_s) = (seconds(short), seconds(long));
        if long_s - short_s > self.padding_limit_s {
            return Err(SongError::Lengths {
                short: short.path.clone(),
                short_s,
                long: long.path.clone(),
                long_s,
                long_has_ended: long.has_ended,
            });
        }
        if self.tracks.iter().all(|track| track.has_ended && track.left.is_empty()) {
            for sentence in self.tracks.iter().flat_map(|track| track.stream.warnings()) {
                if !self.warnings.contains(&sentence) {
                    self.warnings.push(sentence);
                }
            }
            let longest = long.frames;
            for track in self.tracks.iter().filter(|track| track.frames + ROUNDING_FRAMES < longest) {
                let missing_ms = (longest - track.frames) as f64 / f64::from(self.rate_hz) * 1e3;
                let path = track.path.display();
                let sentence = format!("{path} ends {missing_ms:.0} ms early and was padded with silence");
                if !self.warnings.contains(&sentence) {
                    self.warnings.push(sentence);
                }
            }
        }
        Ok(())
    }
}
