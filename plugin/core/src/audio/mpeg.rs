//! The frames of an MPEG audio stream (MP1, MP2, MP3), found one by one before it is decoded.
//!
//! An encoder writes the number of frames into the first one (Xing, LAME or VBRI tag). It is stale once files are joined
//! or cut without new encoding, so the frames themselves count. What lies between them is not passed to the decoder,
//! which would take parts of a picture for sound.

use super::tags::tag_len;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Result, Seek, SeekFrom};
use std::ops::Range;

/// Longest run of frames between damage that is kept apart; a file with more damaged places is not sound.
const RUNS_LIMIT: usize = 10_000;
/// Longest frame of any kind that is looked at in one piece.
const LOOK_BYTES: usize = 16 << 10;

/// Bit rates in kbit/s by index: MPEG 1 layers 1, 2 and 3, then MPEG 2 layer 1, and MPEG 2 layers 2 and 3
/// (ISO/IEC 11172-3, 2.4.2.3; ISO/IEC 13818-3, 2.4.2.3).
const BIT_RATES_KBIT: [[u16; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// What the first four bytes of a frame state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Length in bytes, head included.
    pub len: usize,
    /// Samples per channel.
    pub samples: u32,
    pub rate_hz: u32,
    pub is_mono: bool,
    is_mpeg1: bool,
    layer: u8,
    has_crc: bool,
}

impl FrameHead {
    /// Reads a frame's head; none if `data` does not start with one. (Free bit rates are not supported.)
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let [sync, b1, b2, b3] = *data.first_chunk::<4>()?;
        if sync != 0xff || b1 & 0xe0 != 0xe0 {
            return None;
        }
        let (is_mpeg1, is_mpeg25) = match b1 >> 3 & 3 {
            0 => (false, true),
            2 => (false, false),
            3 => (true, false),
            _ => return None,
        };
        let layer = match b1 >> 1 & 3 {
            1 => 3,
            2 => 2,
            3 => 1,
            _ => return None,
        };
        let table = match (is_mpeg1, layer) {
            (true, layer) => usize::from(layer) - 1,
            (false, 1) => 3,
            (false, _) => 4,
        };
        let kbit = u32::from(*BIT_RATES_KBIT[table].get(usize::from(b2 >> 4))?);
        let base_hz = *[44_100, 48_000, 32_000].get(usize::from(b2 >> 2 & 3))?;
        // 2 is reserved.
        if kbit == 0 || b3 & 3 == 2 {
            return None;
        }
        let rate_hz = base_hz >> (u8::from(!is_mpeg1) + u8::from(is_mpeg25));
        let padding = u32::from(b2 >> 1 & 1);
        let (samples, len) = match layer {
            1 => (384, (12_000 * kbit / rate_hz + padding) * 4),
            3 if !is_mpeg1 => (576, 72_000 * kbit / rate_hz + padding),
            _ => (1152, 144_000 * kbit / rate_hz + padding),
        };
        let (is_mono, has_crc) = (b3 >> 6 == 3, b1 & 1 == 0);
        Some(Self { len: len as usize, samples, rate_hz, is_mono, is_mpeg1, layer, has_crc })
    }

    /// Whether both can belong to one stream.
    fn is_like(&self, other: &FrameHead) -> bool {
        (self.layer, self.rate_hz) == (other.layer, other.rate_hz)
    }

    /// Whether this frame (`data`) holds a Xing, Info or VBRI tag in place of sound.
    fn is_count(&self, data: &[u8]) -> bool {
        if self.layer != 3 {
            return false;
        }
        let side = match (self.is_mpeg1, self.is_mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        let at = |offset: usize, name: &[u8]| data.get(offset..).is_some_and(|rest| rest.starts_with(name));
        at(4 + side, b"Xing") || at(4 + side, b"Info") || at(36, b"VBRI")
    }

    /// Whether this frame (`data`) needs bytes of earlier frames: not so in an encoder's first frame.
    fn needs_earlier(&self, data: &[u8]) -> bool {
        let at = if self.has_crc { 6 } else { 4 };
        self.layer == 3
            && data.get(at).is_some_and(|first| {
                // `main_data_begin`: nine bits in MPEG 1, eight in MPEG 2.
                *first != 0 || (self.is_mpeg1 && data.get(at + 1).is_some_and(|next| next & 0x80 != 0))
            })
    }
}

/// Length of the ADTS frame of AAC that `data` starts with.
pub(super) fn adts_len(data: &[u8]) -> Option<usize> {
    let head = data.first_chunk::<7>()?;
    let is_sync = head[0] == 0xff && head[1] & 0xf6 == 0xf0;
    let has_rate = head[2] >> 2 & 0xf < 13;
    let len = usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
    (is_sync && has_rate && len >= 7).then_some(len)
}

/// Bytes between frames that are neither a frame nor a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Junk {
    /// Frames before it, those with a count not included.
    pub frame: u64,
    pub bytes: u64,
}

/// The frames of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    /// Where frames follow one another in the file, the first with its count, later counts excluded.
    pub runs: Vec<Range<u64>>,
    /// Whether the first frame holds the encoder's count.
    pub has_count: bool,
    /// Frames with sound.
    pub count: u64,
    /// Samples per frame.
    pub samples: u32,
    pub rate_hz: u32,
    pub junk: Vec<Junk>,
    /// Whether the last frame lacks bytes.
    pub ends_within_frame: bool,
    /// Whether the first frames of the encoder are missing.
    pub lacks_start: bool,
    /// The other rate in Hz, and the frame from which on it holds.
    pub other_rate: Option<(u32, u64)>,
}

impl Frames {
    /// Bytes of all frames.
    pub(super) fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    fn add(&mut self, start: u64, len: u64) {
        match self.runs.last_mut() {
            Some(last) if last.end == start => last.end += len,
            _ => self.runs.push(start..start + len),
        }
    }

    fn add_junk(&mut self, bytes: u64) {
        match self.junk.last_mut() {
            Some(last) if last.frame == self.count => last.bytes += bytes,
            _ => self.junk.push(Junk { frame: self.count, bytes }),
        }
    }
}

/// Finds the frames between two positions of a file. Stops at the first change of the sample rate.
pub(super) fn scan(file: &mut File, range: Range<u64>) -> Result<Frames> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut look = Look { reader: BufReader::with_capacity(256 << 10, file), ahead: Vec::new() };
    let mut frames = Frames::default();
    let mut first: Option<FrameHead> = None;
    let mut pos = range.start;
    while pos < range.end && frames.runs.len() < RUNS_LIMIT {
        let left = range.end - pos;
        let data = look.ahead(LOOK_BYTES.min(left as usize))?;
        if let Some(head) = FrameHead::parse(data) {
            let is_last = head.len as u64 >= left;
            // After damage, a head counts if another follows.
            let is_in_step = frames.runs.last().is_some_and(|run| run.end == pos);
            let is_sure =
                is_in_step || is_last || data.get(head.len..).is_some_and(|next| starts_well(next, &head));
            if is_sure && first.is_none_or(|first| first.is_like(&head)) {
                if head.len as u64 > left {
                    frames.ends_within_frame = true;
                    return Ok(frames);
                }
                let is_count = head.is_count(&data[..head.len]);
                if frames.count == 0 && !is_count {
                    frames.lacks_start = head.needs_earlier(data);
                }
                if !is_count || (first.is_none() && frames.count == 0) {
                    frames.add(pos, head.len as u64);
                }
                frames.count += u64::from(!is_count);
                if first.is_none() {
                    frames.has_count = is_count;
                    (frames.samples, frames.rate_hz) = (head.samples, head.rate_hz);
                    first = Some(head);
                }
                look.skip(head.len as u64)?;
                pos += head.len as u64;
                continue;
            }
            let is_other = first.is_some_and(|first| first.rate_hz != head.rate_hz);
            if is_other && is_sure && !is_last {
                frames.other_rate = Some((head.rate_hz, frames.count));
                return Ok(frames);
            }
        }
        let (bytes, is_junk) = match trailer_len(data, left).or_else(|| tag_len(data)) {
            Some(bytes) => (bytes.clamp(1, left), false),
            // Zeros are padding. On to the next byte that a frame or a tag can start with.
            None => {
                let next = data.iter().skip(1).position(|byte| [0xff, b'I', b'T', b'A', b'L'].contains(byte));
                (next.map_or(data.len(), |next| next + 1) as u64, data.first() != Some(&0))
            }
        };
        if is_junk && first.is_some() {
            frames.add_junk(bytes);
        }
        look.skip(bytes)?;
        pos += bytes;
    }
    Ok(frames)
}

/// Whether what follows a frame confirms it: a frame alike, a tag, or padding.
fn starts_well(next: &[u8], head: &FrameHead) -> bool {
    FrameHead::parse(next).is_some_and(|other| other.is_like(head))
        || tag_len(next).is_some()
        || [b"TAG".as_slice(), b"LYRICSBEGIN", b"\0\0\0\0", b"APETAGEX"]
            .iter()
            .any(|name| next.starts_with(name))
}

/// Length of a tag that may only come at a file's end, if one starts here.
fn trailer_len(data: &[u8], left: u64) -> Option<u64> {
    (left == 128 && data.starts_with(b"TAG")).then_some(128).or_else(|| {
        (data.starts_with(b"LYRICSBEGIN") || (data.starts_with(b"TAG") && left <= 128)).then_some(left)
    })
}

/// A reader that can look ahead.
struct Look<R> {
    reader: BufReader<R>,
    ahead: Vec<u8>,
}

impl<R: Read> Look<R> {
    /// The next bytes, `count` unless the file ends.
    fn ahead(&mut self, count: usize) -> Result<&[u8]> {
        if self.ahead.is_empty() && self.reader.buffer().len() >= count {
            return Ok(&self.reader.buffer()[..count]);
        }
        while self.ahead.len() < count {
            let more = self.reader.fill_buf()?;
            if more.is_empty() {
                break;
            }
            let taken = more.len().min(count - self.ahead.len());
            self.ahead.extend_from_slice(&more[..taken]);
            self.reader.consume(taken);
        }
        Ok(&self.ahead[..self.ahead.len().min(count)])
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let held = (self.ahead.len() as u64).min(bytes) as usize;
        self.ahead.drain(..held);
        let rest = bytes - held as u64;
        std::io::copy(&mut Read::by_ref(&mut self.reader).take(rest), &mut std::io::sink()).map(|_| ())
    }
}

/// How an MPEG stream is trimmed, and what there is to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Samples to drop at the start: the delay of encoder and decoder.
    pub skip: u64,
    /// Most samples to give.
    pub limit: Option<u64>,
    /// Length in samples.
    pub length: u64,
    /// Lost frames, each as the number of frames before them and how many they are.
    pub gaps: Vec<(u64, u64)>,
    /// Sentences without subject.
    pub notes: Vec<String>,
}

/// Compares the frames with what the first one states: `stated` samples without `delay` and `padding`.
pub(super) fn plan(frames: &Frames, stated: Option<u64>, delay: Option<u32>, padding: Option<u32>) -> Plan {
    let samples = u64::from(frames.samples.max(1));
    let seconds = |samples: u64| samples as f64 / f64::from(frames.rate_hz.max(1));
    let (delay, padding) = (u64::from(delay.unwrap_or(0)), u64::from(padding.unwrap_or(0)));
    let mut plan = Plan { skip: if frames.lacks_start { 0 } else { delay }, ..Plan::default() };
    let stated = stated.filter(|_| frames.has_count);
    let stated_frames = stated.map(|length| (length + delay + padding).div_ceil(samples));
    // Where the count says that frames are missing, damage between frames is where they were.
    let mut missing = stated_frames.map_or(0, |all| all.saturating_sub(frames.count));
    let mean_bytes = (frames.bytes() / frames.count.max(1)).max(1);
    for junk in &frames.junk {
        let lost = ((junk.bytes + mean_bytes / 2) / mean_bytes).min(missing);
        if lost > 0 {
            missing -= lost;
            plan.gaps.push((junk.frame, lost));
        } else {
            let (bytes, at_s) = (junk.bytes, seconds(junk.frame * samples));
            plan.notes
                .push(format!("has {bytes} bytes at {at_s:.1} s that are no sound; they were left out"));
        }
    }
    let found = frames.count + plan.gaps.iter().map(|(_, lost)| lost).sum::<u64>();
    let all = (found * samples).saturating_sub(plan.skip);
    match (stated, stated_frames) {
        (Some(length), Some(count)) if count == found && !frames.lacks_start => {
            (plan.limit, plan.length) = (Some(length), length);
        }
        // A download that was interrupted; an editor would cut between frames.
        (Some(length), Some(count)) if count > found && frames.ends_within_frame => plan.length = length,
        (Some(length), Some(count)) => {
            plan.length = all;
            if count != found {
                let what = if count > found { "cut" } else { "joined" };
                let (stated_s, all_s) = (seconds(length), seconds(all));
                plan.notes.push(format!(
                    "was {what} after it was encoded: its first frame states {stated_s:.1} s. All {all_s:.1} s were read"
                ));
            }
        }
        _ => plan.length = all,
    }
    plan
}
