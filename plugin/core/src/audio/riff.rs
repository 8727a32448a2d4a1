//! The chunks of WAV (RIFF, RF64, BW64, Wave64) and AIFF files, whatever the lengths in their heads.
//!
//! Recorders that crash, programs that write to a pipe, and files over 4 GiB leave lengths that are placeholders or
//! wrong. Players read what is there, and so does this: it finds the sound, and hands the decoder a short head of its own
//! with lengths that fit ([`Chunks::head`]).
//!
//! Sources: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE); EBU Tech 3306 (RF64);
//! ITU-R BS.2088 (BW64); Sonic Foundry, Wave64; Apple, Audio Interchange File Format 1.3.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

/// From this size on, a length that the file does not have means "unknown": programs that write to a pipe put
/// 0x7ffff000 or more there.
const PLACEHOLDER_BYTES: u64 = 0x7fff_0000;
/// No file has so many bytes (128 TiB): a placeholder of formats with long lengths.
const IMPOSSIBLE_BYTES: u64 = 1 << 47;
/// Chunks before the sound; a file with more is not sound.
const CHUNKS_LIMIT: usize = 65_536;
/// Longest description of a format (`fmt `, `COMM`) that is read; extensions of known codecs take under 100 bytes.
const FORMAT_LIMIT_BYTES: u64 = 4096;
/// A WAV head may be followed by this many bytes that are no chunk without a warning: tags of other formats.
const STRAY_BYTES: u64 = 64 << 10;

/// The GUID `riff` with which Wave64 starts; those of the other chunks have the same last twelve bytes but for the
/// first of them.
pub(super) const WAVE64_RIFF: [u8; 16] = *b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";
/// The chunks of Wave64: `wave`, `fmt `, `data` and so on.
const WAVE64_REST: [u8; 12] = *b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";

/// A `fmt ` chunk's tag for MPEG audio, layers 1 and 2, and for layer 3.
const TAGS_MPEG: [u16; 2] = [0x50, 0x55];
const TAG_PCM: u16 = 1;
const TAG_FLOAT: u16 = 3;
const TAG_EXTENSIBLE: u16 = 0xfffe;
/// PCM, Microsoft's ADPCM, float, A-law, µ-law, IMA ADPCM, extensible.
const TAGS_READ: [u16; 7] = [TAG_PCM, 2, TAG_FLOAT, 6, 7, 0x11, TAG_EXTENSIBLE];

/// Where the sound of a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// A head for the decoder, which [`Chunks::data`] must follow.
    pub head: Vec<u8>,
    /// The sound.
    pub data: Range<u64>,
    /// Whether the sound is an MPEG stream, which needs no head.
    pub is_mpeg: bool,
    /// Length in frames that the file states, where it has fewer than that.
    pub missing_of: Option<u64>,
    /// A sentence without subject about a length that was corrected.
    pub note: Option<String>,
}

/// Why there are no [`Chunks`].
#[derive(Debug)]
pub(super) enum ChunkError {
    Io(Error),
    /// A sentence without subject.
    Bad(String),
}

impl From<Error> for ChunkError {
    fn from(cause: Error) -> Self {
        if cause.kind() == ErrorKind::UnexpectedEof {
            return ChunkError::Bad("is cut off within its head".into());
        }
        ChunkError::Io(cause)
    }
}

/// How chunks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Riff,
    /// RF64 and BW64: as RIFF, with long lengths in `ds64`.
    Rf64,
    Wave64,
    Aiff,
}

/// One chunk's head.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    id: [u8; 4],
    body: u64,
    len: u64,
}

impl Dialect {
    /// The chunk at `pos`.
    fn chunk(self, file: &mut File, pos: u64) -> Result<Chunk, Error> {
        let mut head = [0; 24];
        let head_len = if self == Dialect::Wave64 { 24 } else { 8 };
        file.seek(SeekFrom::Start(pos))?;
        file.read_exact(&mut head[..head_len])?;
        let id = [head[0], head[1], head[2], head[3]];
        let short = [head[4], head[5], head[6], head[7]];
        let len = match self {
            Dialect::Riff | Dialect::Rf64 => u64::from(u32::from_le_bytes(short)),
            Dialect::Aiff => u64::from(u32::from_be_bytes(short)),
            Dialect::Wave64 => {
                let is_known = head[4..16] == WAVE64_REST;
                let long = u64::from_le_bytes([
                    head[16], head[17], head[18], head[19], head[20], head[21], head[22], head[23],
                ]);
                let id = if is_known { id } else { *b"\0\0\0\0" };
                return Ok(Chunk { id, body: pos + 24, len: long.saturating_sub(24) });
            }
        };
        Ok(Chunk { id, body: pos + 8, len })
    }

    /// Where the chunk after this one starts.
    fn next(self, chunk: Chunk) -> u64 {
        let end = chunk.body.saturating_add(chunk.len);
        let grain = if self == Dialect::Wave64 { 8 } else { 2 };
        end.checked_next_multiple_of(grain).unwrap_or(u64::MAX)
    }
}

/// Finds the sound of a WAV or AIFF file that starts at `start`, in a file of `file_len` bytes.
pub(super) fn find(file: &mut File, start: u64, file_len: u64) -> Result<Chunks, ChunkError> {
    let mut first = [0; 16];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut first[..12])?;
    let (dialect, head_len) = match &first[..4] {
        b"RIFF" => (Dialect::Riff, 12),
        b"RF64" | b"BW64" => (Dialect::Rf64, 12),
        b"FORM" => (Dialect::Aiff, 12),
        _ => (Dialect::Wave64, 40),
    };
    let form: [u8; 4] = [first[8], first[9], first[10], first[11]];
    let mut finder = Finder { file, dialect, file_len, outer_end: None, long_data: None };
    let outer = dialect.chunk(finder.file, start)?.len;
    finder.outer_end =
        (!is_placeholder(outer) || outer <= file_len).then(|| start.saturating_add(outer).saturating_add(8));
    let (mut format, mut sound) = (None, None);
    let mut pos = start + head_len;
    for _ in 0..CHUNKS_LIMIT {
        if pos.saturating_add(8) > file_len || (format.is_some() && sound.is_some()) {
            break;
        }
        let chunk = finder.file_chunk(pos)?;
        match &chunk.id {
            b"fmt " | b"COMM" if format.is_none() => {
                let mut bytes = Vec::new();
                finder.file.seek(SeekFrom::Start(chunk.body))?;
                let len = chunk.len.min(FORMAT_LIMIT_BYTES);
                Read::by_ref(finder.file).take(len).read_to_end(&mut bytes)?;
                format = Some(bytes);
            }
            b"ds64" => finder.read_long_lengths(chunk)?,
            b"data" | b"SSND" if sound.is_none() => sound = Some(chunk),
            _ => {}
        }
        pos = finder.next(chunk)?;
    }
    let Some(sound) = sound else {
        return Err(ChunkError::Bad("is cut off, or damaged: it has no sound after its head".into()));
    };
    let Some(format) = format else {
        return Err(ChunkError::Bad("is damaged: nothing in it says how its sound is stored".into()));
    };
    if dialect == Dialect::Aiff { finder.aiff(form, format, sound) } else { finder.wave(format, sound) }
}

/// Whether a length is what writers put down that do not know it.
fn is_placeholder(len: u64) -> bool {
    len == 0 || len >= PLACEHOLDER_BYTES
}

/// How a stated length does not fit, where that is to be told.
enum Misfit {
    /// There is more sound than the stated bytes.
    Longer(u64),
    /// So many bytes after the sound belong to nothing.
    Stray(u64),
}

impl Misfit {
    /// A sentence without subject, for sound of `bytes_per_s` bytes a second (0: unknown) and `len` bytes.
    fn describe(&self, bytes_per_s: u64, len: u64) -> String {
        let seconds = |bytes: u64| bytes as f64 / bytes_per_s as f64;
        match *self {
            Misfit::Longer(stated) if bytes_per_s > 0 => format!(
                "states a length of {:.1} s and holds {:.1} s of sound; all of it was read",
                seconds(stated),
                seconds(len)
            ),
            Misfit::Longer(_) => "states a length that is too short; all of its sound was read".into(),
            Misfit::Stray(bytes) => {
                format!("has {bytes} bytes after its sound that belong to nothing in it; they were not read")
            }
        }
    }
}

/// A length of the sound.
struct DataLen {
    /// Bytes to read.
    len: u64,
    /// Bytes that the file states, if it has fewer.
    stated: Option<u64>,
    misfit: Option<Misfit>,
}

struct Finder<'a> {
    file: &'a mut File,
    dialect: Dialect,
    file_len: u64,
    /// Where the outermost chunk ends, if the file says so.
    outer_end: Option<u64>,
    /// The length of `data` in `ds64`.
    long_data: Option<u64>,
}

impl Finder<'_> {
    fn file_chunk(&mut self, pos: u64) -> Result<Chunk, Error> {
        self.dialect.chunk(self.file, pos)
    }

    /// Where the next chunk starts: some writers leave out the byte that makes an odd length even.
    fn next(&mut self, chunk: Chunk) -> Result<u64, Error> {
        let next = self.dialect.next(chunk);
        let unpadded = chunk.body.saturating_add(chunk.len);
        if self.dialect != Dialect::Wave64 && next != unpadded && unpadded.saturating_add(8) <= self.file_len
        {
            let is_name = |id: [u8; 4]| id.iter().all(|byte| (0x20..0x7f).contains(byte));
            let padded = next.saturating_add(8) <= self.file_len && is_name(self.file_chunk(next)?.id);
            let tight = self.file_chunk(unpadded)?.id;
            // `adata` with a padding byte `a` would be a chance of one in a hundred; `data` or `fmt ` is none.
            if (!padded && is_name(tight)) || [b"data", b"fmt ", b"SSND", b"COMM"].contains(&&tight) {
                return Ok(unpadded);
            }
        }
        Ok(next)
    }

    fn read_long_lengths(&mut self, chunk: Chunk) -> Result<(), Error> {
        let mut body = [0; 16];
        self.file.seek(SeekFrom::Start(chunk.body))?;
        self.file.read_exact(&mut body)?;
        let [outer, data] =
            [0, 8].map(|at| u64::from_le_bytes(body[at..at + 8].try_into().unwrap_or_default()));
        self.long_data = Some(data);
        self.outer_end = (outer > 0 && outer < IMPOSSIBLE_BYTES).then(|| outer + 8);
        Ok(())
    }

    /// Whether chunks, and nothing else, fill the file from `pos` on.
    fn is_chunks(&mut self, pos: u64) -> bool {
        let mut pos = pos;
        for _ in 0..64 {
            if pos >= self.file_len {
                return true;
            }
            let Ok(chunk) = self.file_chunk(pos) else {
                // Too short for a chunk.
                return self.file_len - pos < 8;
            };
            let is_name = chunk.id.iter().all(|byte| (0x20..0x7f).contains(byte));
            if !is_name || chunk.len > self.file_len - chunk.body {
                return false;
            }
            pos = self.dialect.next(chunk);
        }
        true
    }

    /// How much sound there is after `body`, where the chunk states `stated` bytes.
    fn data_len(&mut self, body: u64, stated: u64) -> DataLen {
        let rest = self.file_len - body;
        let all = DataLen { len: rest, stated: None, misfit: None };
        let end = body.saturating_add(stated);
        if stated == 0 {
            return if self.is_chunks(body) { DataLen { len: 0, ..all } } else { all };
        }
        if stated > rest {
            // Wrong by no more than the head: its writer counted that too.
            let is_short = self.dialect != Dialect::Wave64 && self.long_data.is_none();
            let is_unknown = (is_short && is_placeholder(stated)) || stated >= IMPOSSIBLE_BYTES;
            let is_near = stated - rest <= body;
            return if is_unknown || is_near {
                all
            } else {
                DataLen { len: rest, stated: Some(stated), misfit: None }
            };
        }
        let stray = self.file_len - end;
        if stray <= body || self.is_chunks(end.next_multiple_of(2)) || self.is_chunks(end) {
            return DataLen { len: stated, ..all };
        }
        // A length that was not brought up to date, in a file whose outer length was, or is a placeholder.
        let covers =
            self.outer_end.is_none_or(|outer| outer.abs_diff(self.file_len) <= body || outer <= body);
        if covers {
            return DataLen { misfit: Some(Misfit::Longer(stated)), ..all };
        }
        let misfit = (stray > STRAY_BYTES).then_some(Misfit::Stray(stray));
        DataLen { len: stated, stated: None, misfit }
    }

    fn wave(&mut self, mut format: Vec<u8>, sound: Chunk) -> Result<Chunks, ChunkError> {
        if format.len() < 16 {
            return Err(ChunkError::Bad("is damaged: the description of its sound is too short".into()));
        }
        let stated = match self.long_data {
            // -1 in the short field: the long one counts. Some writers fill in only one of them.
            Some(long) if sound.len == u64::from(u32::MAX) || sound.len == 0 => long,
            _ => sound.len,
        };
        let data = self.data_len(sound.body, stated);
        let tag = u16_at(&format, 0);
        correct_format(&mut format);
        let frame_bytes = u64::from(u16_at(&format, 12)).max(1);
        let rate_hz = u64::from(u32::from_le_bytes([format[4], format[5], format[6], format[7]])).max(1);
        let is_mpeg = TAGS_MPEG.contains(&tag);
        if !is_mpeg && !TAGS_READ.contains(&tag) {
            return Err(ChunkError::Bad(describe_tag(tag)));
        }
        // A frame that lacks bytes is not sound; blocks of ADPCM may end early.
        let is_plain = ![2, 0x11].contains(&tag);
        let len = if is_plain { data.len - data.len % frame_bytes } else { data.len };
        let head_data = data.stated.unwrap_or(len).min(u64::from(u32::MAX)) as u32;
        let head = [
            b"RIFF\xff\xff\xff\xffWAVEfmt ".as_slice(),
            &(format.len() as u32).to_le_bytes(),
            &format,
            b"data",
            &head_data.to_le_bytes(),
        ]
        .concat();
        let bytes_per_s = if is_plain { frame_bytes * rate_hz } else { 0 };
        let note = data.misfit.map(|misfit| misfit.describe(bytes_per_s, len));
        Ok(Chunks {
            head,
            data: sound.body..sound.body + len,
            is_mpeg,
            missing_of: data.stated.filter(|_| is_plain && !is_mpeg).map(|bytes| bytes / frame_bytes),
            note,
        })
    }

    fn aiff(&mut self, form: [u8; 4], mut format: Vec<u8>, sound: Chunk) -> Result<Chunks, ChunkError> {
        if format.len() < 18 {
            return Err(ChunkError::Bad("is damaged: the description of its sound is too short".into()));
        }
        // Before the sound: an offset, which is 0 in practice, and a block size.
        let mut offset = [0; 8];
        self.file.seek(SeekFrom::Start(sound.body))?;
        self.file.read_exact(&mut offset)?;
        let skip = u64::from(u32::from_be_bytes([offset[0], offset[1], offset[2], offset[3]]));
        let body = sound.body.saturating_add(8).saturating_add(skip).min(self.file_len);
        let stated = if is_placeholder(sound.len) { sound.len } else { sound.len.saturating_sub(8 + skip) };
        let data = self.data_len(body, stated);
        let channels = u64::from(u16::from_be_bytes([format[0], format[1]]));
        let bits = u64::from(u16::from_be_bytes([format[6], format[7]]));
        let frame_bytes = (channels * bits.div_ceil(8)).max(1);
        let is_plain = format.len() < 22 || ![b"ima4", b"MAC3", b"MAC6"].contains(&&format_code(&format));
        if is_plain {
            let frames = (data.stated.unwrap_or(data.len) / frame_bytes).min(u64::from(u32::MAX)) as u32;
            format[2..6].copy_from_slice(&frames.to_be_bytes());
        }
        let padding = format.len() % 2;
        let head_data = data.stated.unwrap_or(data.len).min(u64::from(u32::MAX) - 8) as u32 + 8;
        let outer =
            (4 + 8 + format.len() as u64 + padding as u64 + 8 + u64::from(head_data)).min(u32::MAX.into());
        let head = [
            b"FORM".as_slice(),
            &(outer as u32).to_be_bytes(),
            &form,
            b"COMM",
            &(format.len() as u32).to_be_bytes(),
            &format,
            &[0][..padding],
            b"SSND",
            &head_data.to_be_bytes(),
            &[0; 8],
        ]
        .concat();
        let note = data.misfit.map(|misfit| misfit.describe(0, data.len));
        let missing_of = data.stated.filter(|_| is_plain).map(|bytes| bytes / frame_bytes);
        Ok(Chunks { head, data: body..body + data.len, is_mpeg: false, missing_of, note })
    }
}

/// The four letters of an AIFC's compression.
fn format_code(format: &[u8]) -> [u8; 4] {
    format.get(18..22).and_then(|code| code.try_into().ok()).unwrap_or_default()
}

fn u16_at(format: &[u8], at: usize) -> u16 {
    format.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// Brings a `fmt ` chunk to the form in the specification: lengths, padding and block sizes that others tolerate.
fn correct_format(format: &mut Vec<u8>) {
    let (tag, channels, bits) = (u16_at(format, 0), u16_at(format, 2), u16_at(format, 14));
    match tag {
        TAG_PCM | TAG_FLOAT => {
            format.truncate(16);
            // 12 or 20 bits lie at the top of two or three bytes.
            let whole = bits.next_multiple_of(8);
            format[14..16].copy_from_slice(&whole.to_le_bytes());
            format[12..14].copy_from_slice(&channels.saturating_mul(whole / 8).to_le_bytes());
        }
        6 | 7 => {
            format.truncate(16);
            format.extend([0, 0]);
            format[12..14].copy_from_slice(&channels.to_le_bytes());
        }
        TAG_EXTENSIBLE if format.len() >= 40 => {
            format.truncate(40);
            format[16..18].copy_from_slice(&22u16.to_le_bytes());
            let whole = bits.next_multiple_of(8);
            format[14..16].copy_from_slice(&whole.to_le_bytes());
            format[12..14].copy_from_slice(&channels.saturating_mul(whole / 8).to_le_bytes());
            let valid = u16_at(format, 18);
            if valid == 0 || valid > whole {
                format[18..20].copy_from_slice(&whole.to_le_bytes());
            }
        }
        _ if format.len() % 2 == 1 => format.push(0),
        _ => {}
    }
}

/// A sentence without subject about a WAV file of another codec.
fn describe_tag(tag: u16) -> String {
    let name = match tag {
        0x31 => "GSM",
        0x40..=0x45 | 0x64 | 0x65 => "G.72x ADPCM",
        0x92 | 0x2000 => "Dolby Digital",
        0xff | 0x1600..=0x1602 | 0xa106 => "AAC",
        0x160..=0x163 => "Windows Media Audio",
        0x674f..=0x6771 => "Ogg Vorbis in WAV",
        0x2001 | 0x8 => "DTS",
        0xf1ac => "FLAC in WAV",
        _ => {
            return format!(
                "is a WAV file with sound of an unknown kind (0x{tag:04x}), which cannot be read. Convert it to PCM"
            );
        }
    };
    format!("is a WAV file with sound coded as {name}, which cannot be read. Convert it to PCM")
}
