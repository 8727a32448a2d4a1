//! What a file is, decided by its own head.
//!
//! Tags before the sound (ID3v2, APE) are skipped, and zeros before an MPEG stream, which some encoders write. Nothing
//! else may come before the head: a head further inside belongs to something that the file contains.

use super::foreign;
use super::mpeg::{self, FrameHead};
use super::tags::tag_len;
use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

/// Bytes at a file's start that decide.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// Zeros that may come before an MPEG stream: ten times the padding that is usual in ID3 tags (chosen).
const ZEROS_LIMIT: u64 = 1 << 20;
/// A stream that was cut anywhere starts within a frame; the longest has 2,881 bytes (MPEG 2 layer 2).
const PARTIAL_FRAME_BYTES: usize = 2881;
/// So many frames in a row are no accident: each head repeats 16 bits that chance would have to hit.
const FRAMES_IN_A_ROW: usize = 3;
/// Tags in a row before the sound.
const TAGS_LIMIT: usize = 16;

/// A kind of file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// RIFF, RF64, BW64 or Wave64.
    Wave,
    /// AIFF or AIFC.
    Aiff,
    Flac,
    Ogg,
    /// MP4, M4A or QuickTime.
    Mp4,
    Caf,
    /// Matroska or WebM.
    Mkv,
    /// AAC without a container.
    Adts,
    /// MP1, MP2 or MP3.
    Mpeg,
}

impl FileKind {
    /// Name with an article.
    pub(super) const fn name(self) -> &'static str {
        match self {
            FileKind::Wave => "a WAV file",
            FileKind::Aiff => "an AIFF file",
            FileKind::Flac => "a FLAC file",
            FileKind::Ogg => "an Ogg file",
            FileKind::Mp4 => "an MP4 or QuickTime file",
            FileKind::Caf => "a CAF file",
            FileKind::Mkv => "a Matroska or WebM file",
            FileKind::Adts => "an AAC file",
            FileKind::Mpeg => "an MPEG audio file",
        }
    }
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Sound, which starts so many bytes further.
    Sound(FileKind, usize),
    /// A tag of so many bytes; what comes after it decides.
    Tag(u64),
    /// Zeros only.
    Zeros,
    /// Something else, and a sentence without subject about it.
    Foreign(String),
}

/// Kind of a file, and where its sound's own head starts.
///
/// The outer result is that of reading; the inner one has a sentence about a file that is not read.
pub(super) fn detect(file: &mut File, len: u64) -> Result<std::result::Result<(FileKind, u64), String>> {
    let (mut start, mut zeros) = (0, 0);
    for _ in 0..TAGS_LIMIT + (ZEROS_LIMIT as usize / HEAD_BYTES) {
        file.seek(SeekFrom::Start(start))?;
        let mut head = Vec::new();
        Read::by_ref(file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        match judge(&head, start + head.len() as u64 == len) {
            // After zeros, only a stream of frames can start.
            Head::Sound(kind, at) if zeros == 0 || matches!(kind, FileKind::Mpeg | FileKind::Adts) => {
                return Ok(Ok((kind, start + at as u64)));
            }
            Head::Foreign(reason) if zeros == 0 => return Ok(Err(reason)),
            Head::Tag(bytes) if zeros == 0 => match start.checked_add(bytes).filter(|next| *next < len) {
                Some(next) => start = next,
                None => return Ok(Err("is cut off within the tag before its sound".into())),
            },
            Head::Zeros if zeros < ZEROS_LIMIT && start + (head.len() as u64) < len => {
                zeros += head.len() as u64;
                start += head.len() as u64;
            }
            Head::Zeros if start + (head.len() as u64) >= len => {
                return Ok(Err("is not an audio file that can be read: it holds only zeros".into()));
            }
            _ => break,
        }
    }
    Ok(Err(unknown()))
}

/// A sentence without subject about a file that nothing here knows.
fn unknown() -> String {
    "is not an audio file that can be read (WAV, FLAC, MP3, Ogg, M4A, AIFF)".into()
}

/// Judges the first bytes of a file, or those after a tag. `is_whole`: the file ends with them.
pub(super) fn judge(head: &[u8], is_whole: bool) -> Head {
    let at = |offset: usize, bytes: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(bytes));
    let sound = |kind| Head::Sound(kind, 0);
    if let Some(bytes) = tag_len(head) {
        return Head::Tag(bytes);
    }
    let is_riff = at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64");
    if (is_riff && at(8, b"WAVE")) || at(0, &super::riff::WAVE64_RIFF) {
        return sound(FileKind::Wave);
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return sound(FileKind::Aiff);
    }
    if let Some(reason) = foreign::describe(head) {
        return Head::Foreign(reason);
    }
    for (offset, bytes, kind) in [
        (0, b"fLaC", FileKind::Flac),
        (0, b"OggS", FileKind::Ogg),
        (0, b"caff", FileKind::Caf),
        (0, b"\x1a\x45\xdf\xa3", FileKind::Mkv),
        (4, b"ftyp", FileKind::Mp4),
        (4, b"moov", FileKind::Mp4),
        (4, b"mdat", FileKind::Mp4),
        (4, b"wide", FileKind::Mp4),
        (4, b"free", FileKind::Mp4),
        (4, b"skip", FileKind::Mp4),
    ] {
        if at(offset, bytes) {
            return sound(kind);
        }
    }
    if is_riff || at(0, b"FORM") {
        return Head::Foreign(unknown());
    }
    let zeros = head.iter().take_while(|byte| **byte == 0).count();
    if zeros == head.len() {
        return if head.is_empty() { Head::Foreign(unknown()) } else { Head::Zeros };
    }
    let last = (zeros + PARTIAL_FRAME_BYTES).min(head.len());
    let found =
        (zeros..last).find_map(|start| stream_kind(&head[start..], is_whole).map(|kind| (kind, start)));
    found.map_or_else(|| Head::Foreign(unknown()), |(kind, start)| Head::Sound(kind, start))
}

/// Whether frames in a row start here, and of which kind.
fn stream_kind(data: &[u8], is_whole: bool) -> Option<FileKind> {
    let is_first_mpeg = FrameHead::parse(data).is_some();
    let len_at = |rest: &[u8]| {
        if is_first_mpeg { FrameHead::parse(rest).map(|head| head.len) } else { mpeg::adts_len(rest) }
    };
    let mut rest = data;
    for frame in 0..FRAMES_IN_A_ROW {
        let Some(len) = len_at(rest) else {
            // Behind the last frame there may be nothing, or a tag.
            let is_end = is_whole && frame > 0 && (rest.is_empty() || rest.starts_with(b"TAG"));
            return is_end.then_some(if is_first_mpeg { FileKind::Mpeg } else { FileKind::Adts });
        };
        match rest.get(len..) {
            Some(next) => rest = next,
            // A short file may end within its second frame or later.
            None if is_whole && frame > 0 => break,
            None => return None,
        }
    }
    Some(if is_first_mpeg { FileKind::Mpeg } else { FileKind::Adts })
}
