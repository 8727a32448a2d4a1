//! Opens the reader that belongs to a file's kind.

use super::formats::{PROTECTED, describe_open};
use super::guard::guarded;
use super::input::Input;
use super::kind::{FileKind, detect};
use super::mp4::{TrackEdit, describe_cut, has_absurd_counts};
use super::mpeg::{self, Frames};
use super::riff::{self, ChunkError};
use super::spliced::Spliced;
use crate::error::{Error, Result};
use std::ops::Range;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::default::formats::{
    AdtsReader, AiffReader, CafReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader, WavReader,
};

/// A file whose head has been read.
pub(super) struct Opened {
    pub format: Box<dyn FormatReader>,
    pub kind: FileKind,
    /// The frames of an MPEG stream.
    pub frames: Option<Frames>,
    /// Length in frames that the file states, where it has fewer than that and the reader does not know.
    pub missing_of: Option<u64>,
    /// Sentences without subject about what was corrected.
    pub notes: Vec<String>,
}

/// Reads the head of a file.
///
/// # Errors
/// [`Error::Io`] if reading fails, [`Error::Audio`] if the file is of another kind, cut off or damaged.
pub(super) fn open(input: &mut Input) -> Result<Opened> {
    let bad = |name: &std::path::Path, reason: String| Error::audio(name, reason);
    let (kind, start) = detect(&mut input.file, input.len)
        .map_err(Error::io(&input.name))?
        .map_err(|reason| bad(&input.name, reason))?;
    if kind == FileKind::Mp4 && has_absurd_counts(&mut input.file) {
        return Err(bad(&input.name, format!("is {} that is damaged", kind.name())));
    }
    let (mut missing_of, mut notes, mut frames) = (None, Vec::new(), None);
    let (reader_kind, head, parts) = match kind {
        FileKind::Wave | FileKind::Aiff => {
            let chunks = riff::find(&mut input.file, start, input.len).map_err(|cause| match cause {
                ChunkError::Io(cause) => Error::io(&input.name)(cause),
                ChunkError::Bad(reason) => bad(&input.name, reason),
            })?;
            notes.extend(chunks.note);
            if chunks.is_mpeg {
                let found = scan(input, chunks.data)?;
                let parts = found.runs.clone();
                frames = Some(found);
                (FileKind::Mpeg, Vec::new(), parts)
            } else {
                missing_of = chunks.missing_of;
                (kind, chunks.head, vec![chunks.data])
            }
        }
        FileKind::Mpeg => {
            let found = scan(input, start..input.len)?;
            let parts = found.runs.clone();
            frames = Some(found);
            (kind, Vec::new(), parts)
        }
        _ => (kind, Vec::new(), std::iter::once(start..input.len).collect::<Vec<Range<u64>>>()),
    };
    let file = input.file.try_clone().map_err(Error::io(&input.name))?;
    let format =
        guarded(|| read_head(reader_kind, Box::new(Spliced::new(file, head, parts)))).map_err(|cause| {
            let cut = if kind == FileKind::Mp4 { describe_cut(&mut input.file) } else { None };
            bad(&input.name, cut.unwrap_or_else(|| describe_open(kind, cause)))
        })?;
    Ok(Opened { format, kind: reader_kind, frames, missing_of, notes })
}

/// The track to decode: the one of this number among those with sound, or the file's default.
///
/// # Errors
/// A sentence without subject, if there is none or it is protected.
pub(super) fn choose_track(
    format: &dyn FormatReader,
    edits: &[TrackEdit],
    number: Option<usize>,
) -> std::result::Result<Track, String> {
    let has_sound = |track: &&Track| track.codec_params.as_ref().is_some_and(|params| params.is_audio());
    let sound_tracks = || format.tracks().iter().filter(has_sound);
    let track = match number {
        None => format.default_track(TrackType::Audio),
        Some(number) => sound_tracks().nth(number),
    };
    if let (None, Some(number), count @ 1..) = (track, number, sound_tracks().count()) {
        return Err(format!("has {count} sound tracks; number {} is asked for", number + 1));
    }
    let is_protected =
        |track: &Track| edits.iter().any(|edit| edit.track_id == track.id && edit.is_protected);
    match track {
        Some(track) if is_protected(track) => Err(PROTECTED.into()),
        Some(track) => Ok(track.clone()),
        None if edits.iter().any(|edit| edit.is_protected) => Err(PROTECTED.into()),
        None => Err("has no sound track that can be read".into()),
    }
}

fn scan(input: &mut Input, range: Range<u64>) -> Result<Frames> {
    let frames = mpeg::scan(&mut input.file, range).map_err(Error::io(&input.name))?;
    if frames.count == 0 {
        return Err(Error::audio(&input.name, "holds no sound"));
    }
    Ok(frames)
}

fn read_head(
    kind: FileKind,
    source: Box<dyn MediaSource>,
) -> std::result::Result<Box<dyn FormatReader>, SymphoniaError> {
    let stream = MediaSourceStream::new(source, Default::default());
    let options = FormatOptions::default();
    Ok(match kind {
        FileKind::Wave => Box::new(WavReader::try_new(stream, options)?),
        FileKind::Aiff => Box::new(AiffReader::try_new(stream, options)?),
        FileKind::Flac => Box::new(FlacReader::try_new(stream, options)?),
        FileKind::Ogg => Box::new(OggReader::try_new(stream, options)?),
        FileKind::Mp4 => Box::new(IsoMp4Reader::try_new(stream, options)?),
        FileKind::Caf => Box::new(CafReader::try_new(stream, options)?),
        FileKind::Mkv => Box::new(MkvReader::try_new(stream, options)?),
        FileKind::Adts => Box::new(AdtsReader::try_new(stream, options)?),
        FileKind::Mpeg => Box::new(MpaReader::try_new(stream, options)?),
    })
}
