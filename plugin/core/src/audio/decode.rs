//! Decodes WAV, FLAC, MP3, Ogg (Vorbis, Opus), M4A (AAC-LC, ALAC, Opus), AIFF and CAF files to stereo, packet by packet.
//!
//! **Alignment.** Stems must start on the same sample, so the encoder's delay and padding are removed:
//!
//! | format | source of delay and padding |
//! | --- | --- |
//! | WAV, FLAC, AIFF, ALAC | none |
//! | MP3 | the LAME tag in the Xing frame, plus the 529 samples of the decoder |
//! | Ogg Vorbis, Ogg Opus | granule positions of the first and last pages, and Opus' header |
//! | M4A | edit list or iTunes' gapless tag (see `mp4.rs`) |
//! | CAF | packet table |
//!
//! **Counts.** Of an MP3 the frames count, not the number in its first one, which is stale after joining or cutting.
//!
//! An MP3 without a LAME tag and raw AAC (ADTS) state neither: they keep their encoder's delay, 1,105 samples or more
//! for MP3, 1,024 to 2,112 for AAC.
//!
//! **Damage.** A packet that cannot be decoded, and sound lost between two packets of FLAC, Vorbis or M4A, becomes
//! silence of the same length, so that the rest stays in place. It is an error when this happens to more than one packet
//! and to more than 1 % of all. (MP3 has no times: a lost frame moves the rest by 26 ms, and several make the file too
//! short.)
//!
//! A file that ends early is an error at its end, unless no more than its last packet is missing. This needs
//! a file that states its length: not a WAV from a pipe, nor an MP3 without a LAME tag. An M4A that lacks any byte, and an
//! Ogg that ends within a page, are errors on opening. An Ogg that lacks whole pages is not detected.

mod end;

use super::downmix::Downmix;
use super::formats::{
    PACKET_LIMIT_FRAMES, check_sizes, describe_codec, has_exact_times, is_mpeg, make_decoder, stated_frames,
};
use super::guard::guarded;
use super::input::Input;
use super::kind::FileKind;
use super::losses::Losses;
use super::mp4::{TrackEdit, describe_cut, read_edits};
use super::mpeg;
use super::open::{Opened, choose_track, open};
use super::opus;
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::packet::Packet;

/// Sample rates in Hz that are plausible.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// After so many packets in a row without a sample, decoding fails.
const BARREN_PACKETS: u32 = 64;
/// Longest silence that an edit list may put before the sound.
const LEAD_IN_LIMIT_S: f64 = 60.0;

/// A file may end this much early without a warning: rounding in containers that count milliseconds.
const SHORT_S: f64 = 0.002;

/// A decoder of one file.
pub struct FileStream {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    /// Whether to apply the packets' own trims, because the decoder does not.
    trims_packets: bool,
    /// Whether packet times count samples exactly, so that a gap between them is lost sound.
    has_exact_times: bool,
    /// The time of the first sample, where times are exact.
    first_time: i64,
    sample_rate_hz: u32,
    /// Length stated by the file in frames, delay and padding excluded.
    stated_frames: Option<u64>,
    /// Decoded frames that remain to be dropped.
    skip: u64,
    /// Most frames to give.
    limit: Option<u64>,
    /// Frames given so far.
    given: u64,
    /// Frames decoded so far, those dropped included.
    decoded: u64,
    largest_packet: u64,
    packets: u64,
    bad_packets: u64,
    /// MPEG frames read so far.
    mpeg_packets: u64,
    /// Lost MPEG frames to come: after so many packets, so many frames.
    gaps: VecDeque<(u64, u64)>,
    /// Whether the last MPEG frame was mono: the decoder cannot change that.
    mpeg_is_mono: Option<bool>,
    params: AudioCodecParameters,
    /// Whether the decoder applies the packets' trims.
    decoder_trims: bool,
    /// Frames of damaged packets before the first intact one.
    lost_at_start: u64,
    losses: Losses,
    /// Sentences without subject about what was corrected.
    notes: Vec<String>,
    /// Why the reader stopped before the end, if it gave a reason.
    break_reason: Option<String>,
    has_ended: bool,
    planes: Vec<Vec<f32>>,
    /// Frames of silence before `ready`, not yet given. A count, because a damaged file may ask for much silence.
    silence: u64,
    /// The last packet's samples, not yet given.
    ready: (Vec<f32>, Vec<f32>),
}

impl FileStream {
    /// Opens a file and decodes its first packet with sound. `-` is standard input; pipes are read too.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened; [`Error::Audio`] if it is a folder, a device, empty, not audio,
    /// protected, of an unknown codec, of an impossible rate, or without sound.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_track(path, None)
    }

    /// Opens one sound track of a file that holds several, such as a `.stem.mp4`: the first is number 0; without a
    /// number, the file's default track.
    ///
    /// # Errors
    /// As [`FileStream::open`], and [`Error::Audio`] if the file has no such track.
    pub fn open_track(path: &Path, number: Option<usize>) -> Result<Self> {
        let mut input = Input::open(path)?;
        let Opened { format, kind, frames, missing_of, mut notes } = open(&mut input)?;
        let bad = |reason: String| Error::audio(&input.name, reason);
        let edits = if kind == FileKind::Mp4 { read_edits(&mut input.file) } else { Vec::new() };
        let track = choose_track(&*format, &edits, number).map_err(bad)?;
        let edit = edits.into_iter().find(|edit| edit.track_id == track.id);
        let Some(params) = track.codec_params.as_ref().and_then(|params| params.audio()) else {
            return Err(bad("has a sound track of an unknown kind".into()));
        };
        check_sizes(params).map_err(bad)?;
        let is_mpeg = is_mpeg(params.codec);
        // Elsewhere the container states an MPEG track's delay and padding.
        let decoder_trims = !is_mpeg || (kind != FileKind::Mpeg && track.delay.is_some());
        let decoder =
            make_decoder(params, decoder_trims).map_err(|cause| bad(describe_codec(params.codec, &cause)))?;
        let plan = frames.map(|frames| mpeg::plan(&frames, track.num_frames, track.delay, track.padding));
        // MP4 has its edit list for this.
        let pre_skip = opus::pre_skip(params).filter(|_| kind != FileKind::Mp4).unwrap_or(0);
        let stated = plan.as_ref().map(|plan| plan.length).or(missing_of);
        notes.extend(plan.iter().flat_map(|plan| plan.notes.iter().cloned()));
        let mut stream = Self {
            path: input.name.clone(),
            track_id: track.id,
            trims_packets: kind == FileKind::Caf && !is_mpeg && params.codec != CODEC_ID_VORBIS,
            has_exact_times: has_exact_times(kind, &track, params),
            first_time: track.start_ts.get().max(0),
            sample_rate_hz: 0,
            stated_frames: stated
                .or_else(|| stated_frames(kind, &track).map(|frames| frames.saturating_sub(pre_skip))),
            skip: plan.as_ref().map_or(pre_skip, |plan| plan.skip),
            limit: plan.as_ref().and_then(|plan| plan.limit),
            given: 0,
            decoded: 0,
            largest_packet: 0,
            packets: 0,
            bad_packets: 0,
            gaps: plan.map(|plan| plan.gaps.into()).unwrap_or_default(),
            mpeg_packets: 0,
            mpeg_is_mono: None,
            params: params.clone(),
            decoder_trims,
            lost_at_start: 0,
            losses: Losses::default(),
            notes,
            break_reason: None,
            has_ended: false,
            planes: Vec::new(),
            silence: 0,
            ready: Default::default(),
            format,
            decoder,
        };
        let is_mp4 = kind == FileKind::Mp4;
        stream.start(&track, edit, || if is_mp4 { describe_cut(&mut input.file) } else { None })?;
        Ok(stream)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sample rate of the sound in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length in frames, delay and padding excluded, if the file states it.
    pub fn stated_frames(&self) -> Option<u64> {
        self.stated_frames
    }

    /// Length in seconds, if the file states it.
    pub fn duration_s(&self) -> Option<f64> {
        self.stated_frames.map(|frames| self.seconds(frames))
    }

    /// What of the file was corrected or lost so far, each a sentence with the file's name. Complete once
    /// [`FileStream::next_chunk`] has returned false.
    pub fn warnings(&self) -> Vec<String> {
        let sentences = self.notes.iter().cloned().chain(self.losses.describe(self.sample_rate_hz));
        sentences.map(|sentence| format!("{} {sentence}", self.path.display())).collect()
    }

    /// Appends the next frames to `left` and `right`, at most one packet's; false, with nothing appended, after the last.
    ///
    /// Samples are not changed: those of a float file may be NaN, infinite, or beyond ±1.
    ///
    /// # Errors
    /// [`Error::Io`] if reading fails; [`Error::Audio`] if the sample rate changes, and at the end if the file is cut
    /// off or too many packets were damaged.
    pub fn next_chunk(&mut self, left: &mut Vec<f32>, right: &mut Vec<f32>) -> Result<bool> {
        let mut barren = 0;
        while !self.give(left, right) {
            if self.has_ended {
                return Ok(false);
            }
            if !self.next_packet()? {
                self.has_ended = true;
                self.check_end()?;
                return Ok(false);
            }
            barren += 1;
            if barren > BARREN_PACKETS && self.silence == 0 && self.ready.0.is_empty() {
                let at = self.seconds(self.given);
                return Err(Error::audio(&self.path, format!("cannot be decoded from {at:.1} s on")));
            }
        }
        Ok(true)
    }

    /// Appends what is ready, silence in pieces; false if nothing is.
    fn give(&mut self, left: &mut Vec<f32>, right: &mut Vec<f32>) -> bool {
        if self.silence > 0 {
            let count = self.silence.min(PACKET_LIMIT_FRAMES);
            self.silence -= count;
            left.resize(left.len() + count as usize, 0.0);
            right.resize(right.len() + count as usize, 0.0);
            return true;
        }
        let is_ready = !self.ready.0.is_empty();
        left.append(&mut self.ready.0);
        right.append(&mut self.ready.1);
        is_ready
    }

    /// Decodes up to the first sound, which determines the rate, and sets the cuts.
    fn start(
        &mut self,
        track: &Track,
        edit: Option<TrackEdit>,
        describe_cut: impl FnOnce() -> Option<String>,
    ) -> Result<()> {
        let mut barren = 0;
        while self.sample_rate_hz == 0 && barren < BARREN_PACKETS && self.next_packet()? {
            barren += 1;
        }
        if self.sample_rate_hz == 0 {
            let reason = describe_cut().or(self.break_reason.take());
            return Err(Error::audio(&self.path, reason.unwrap_or_else(|| "holds no sound".into())));
        }
        if let Some(edit) = edit {
            self.apply_edit(edit);
        } else if track.time_base.is_some_and(|base| base.denom.get() != self.sample_rate_hz) {
            self.stated_frames = None;
        }
        Ok(())
    }

    /// Sets where the track is cut, and cuts what is already decoded.
    fn apply_edit(&mut self, edit: TrackEdit) {
        let rate_hz = f64::from(self.sample_rate_hz);
        let to_frames = |seconds: f64| (seconds.max(0.0) * rate_hz).round() as u64;
        let start = to_frames(edit.start_s);
        let left_over = self.stated_frames.map(|frames| frames.saturating_sub(start));
        let length = edit.length_s.map(|(length_s, grain_s)| (to_frames(length_s), to_frames(grain_s)));
        let limit = match (length, left_over) {
            // A length in milliseconds only counts if it differs by more than rounding.
            (Some((length, grain)), Some(left_over)) if length + grain >= left_over => Some(left_over),
            (Some((length, _)), _) => Some(length),
            (None, left_over) => left_over,
        };
        let lead_in = to_frames(edit.lead_in_s.min(LEAD_IN_LIMIT_S));
        self.limit = limit.map(|frames| frames.saturating_add(lead_in));
        self.stated_frames = self.limit;
        self.skip = start;
        self.given = lead_in;
        let (_, lost) = self.cut(self.silence);
        self.silence = lead_in + lost as u64;
        let (skipped, count) = self.cut(self.ready.0.len() as u64);
        for plane in [&mut self.ready.0, &mut self.ready.1] {
            plane.truncate(skipped + count);
            plane.drain(..skipped);
        }
    }

    /// Decodes one packet; false at the end of the file.
    fn next_packet(&mut self) -> Result<bool> {
        if self.limit.is_some_and(|limit| self.given >= limit) {
            return Ok(false);
        }
        let packet = match guarded(|| self.format.next_packet()) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(false),
            Err(SymphoniaError::IoError(cause)) if cause.kind() == ErrorKind::UnexpectedEof => {
                return Ok(false);
            }
            Err(SymphoniaError::IoError(cause)) => {
                return Err(Error::Io { path: self.path.clone(), cause });
            }
            Err(SymphoniaError::ResetRequired) => {
                return Err(Error::audio(&self.path, "holds several streams in a row, which cannot be read"));
            }
            Err(cause) => {
                tracing::debug!("{}: {cause}", self.path.display());
                self.break_reason = Some("is damaged".into());
                return Ok(false);
            }
        };
        if packet.track_id != self.track_id {
            return Ok(true);
        }
        while let Some((_, lost)) = self.gaps.pop_front_if(|(before, _)| *before <= self.mpeg_packets) {
            self.packets += lost;
            self.bad_packets += lost;
            self.lose(lost * packet.dur.get().min(PACKET_LIMIT_FRAMES));
        }
        self.mpeg_packets += 1;
        self.packets += 1;
        if self.has_exact_times && self.sample_rate_hz > 0 {
            let time = packet.pts.get().saturating_sub(self.first_time);
            let gap = time.saturating_sub_unsigned(self.decoded).max(0) as u64;
            let usual = self.largest_packet.max(packet.dur.get()).clamp(1, PACKET_LIMIT_FRAMES);
            // No more than some lost packets can explain.
            if gap > 0 && gap <= usual * u64::from(BARREN_PACKETS) {
                let lost = gap.div_ceil(usual);
                self.packets += lost;
                self.bad_packets += lost;
                self.lose(gap);
            }
        }
        self.decode(&packet)?;
        Ok(true)
    }

    /// Decodes a packet to `ready`.
    fn decode(&mut self, packet: &Packet) -> Result<()> {
        if is_mpeg(self.params.codec) {
            let is_mono = packet.data.get(3).map(|byte| byte >> 6 == 3);
            if self.mpeg_is_mono.is_some() && self.mpeg_is_mono != is_mono {
                let made = make_decoder(&self.params, self.decoder_trims);
                self.decoder = made
                    .map_err(|cause| Error::audio(&self.path, describe_codec(self.params.codec, &cause)))?;
            }
            self.mpeg_is_mono = is_mono;
        }
        let buffer = match guarded(|| self.decoder.decode(packet)) {
            Ok(buffer) => buffer,
            Err(cause)
                if matches!(cause, SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_))
                    // Later in a file, damage can look like a feature that the decoder does not support.
                    || (self.decoded > 0 && matches!(cause, SymphoniaError::Unsupported(_))) =>
            {
                self.bad_packets += 1;
                let lost = packet.dur.get().min(PACKET_LIMIT_FRAMES);
                tracing::debug!("{}: {cause}", self.path.display());
                if self.sample_rate_hz > 0 {
                    self.lose(lost);
                } else {
                    self.lost_at_start += lost;
                }
                return Ok(());
            }
            Err(cause) => return Err(Error::audio(&self.path, describe_codec(self.params.codec, &cause))),
        };
        let spec = buffer.spec();
        let rate_hz = spec.rate();
        let from_hz = self.sample_rate_hz;
        if !RATES_HZ.contains(&rate_hz) {
            return Err(Error::audio(&self.path, format!("states a sample rate of {rate_hz} Hz")));
        }
        if ![0, rate_hz].contains(&from_hz) {
            let at = self.seconds(self.given);
            let reason = format!("changes its sample rate from {from_hz} Hz to {rate_hz} Hz after {at:.1} s");
            return Err(Error::audio(&self.path, reason));
        }
        self.sample_rate_hz = rate_hz;
        let Some(downmix) = Downmix::of(spec.channels()) else {
            return Err(Error::audio(&self.path, "has no channels"));
        };
        buffer.copy_to_vecs_planar(&mut self.planes);
        let frames = self.planes.first().map_or(0, Vec::len);
        let lost = std::mem::take(&mut self.lost_at_start);
        if lost > 0 {
            self.lose(lost);
        }
        let (mut start, mut end) = (0, frames);
        if self.trims_packets {
            end -= (packet.trim_end.get() as usize).min(end);
            start = (packet.trim_start.get() as usize).min(end);
        }
        self.largest_packet = self.largest_packet.max((end - start) as u64);
        self.decoded += (end - start) as u64;
        let (skipped, count) = self.cut((end - start) as u64);
        let start = start + skipped;
        downmix.append(&self.planes, start..start + count, &mut self.ready.0, &mut self.ready.1);
        Ok(())
    }

    /// Silence in place of sound that cannot be decoded. Only called while nothing is in `ready`.
    fn lose(&mut self, frames: u64) {
        self.losses.add(self.given, frames);
        self.decoded += frames;
        let (_, count) = self.cut(frames);
        self.silence += count as u64;
    }

    /// How many of the next `frames` frames to drop, and how many of the rest to give.
    fn cut(&mut self, frames: u64) -> (usize, usize) {
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        let room = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.given));
        let count = (frames - skipped).min(room);
        self.given += count;
        (skipped as usize, count as usize)
    }

    fn seconds(&self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.sample_rate_hz.max(1))
    }
}
