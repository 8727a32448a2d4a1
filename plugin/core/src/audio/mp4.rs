//! Parts of an MP4 file that symphonia 0.6.1 does not read: the edit list and iTunes' gapless tag, which state the
//! encoder's delay and padding, and whether a track is protected. And counts that it believes: see [`has_absurd_counts`].
//!
//! The file's `moov` box is read a second time. Symphonia reports anything malformed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Largest `moov` box that is read. It is mostly tables of packet sizes; 64 MiB of them belong to days of sound.
const MOOV_LIMIT_BYTES: u64 = 64 << 20;
/// Encoder delays are one to three AAC frames (1,024 or 2,048 samples each); a longer one is not plausible.
const SMPB_DELAY_LIMIT: u64 = 16_384;

/// The part of a track's decoded sound that belongs to the song.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TrackEdit {
    /// Track number, as in symphonia's `Track::id`.
    pub track_id: u32,
    /// Silence before the sound in seconds.
    pub lead_in_s: f64,
    /// Where the sound starts in the decoded track in seconds: the encoder's delay.
    pub start_s: f64,
    /// Length of the sound in seconds and the precision with which the file states it; none if it lasts to the track's end.
    pub length_s: Option<(f64, f64)>,
    /// Whether the track is encrypted.
    pub is_protected: bool,
}

/// Reads the edits of all tracks; empty if the file is not an MP4 or states none.
pub(super) fn read_edits(file: &mut File) -> Vec<TrackEdit> {
    read_moov(file).map(|moov| edits_of(&moov)).unwrap_or_default()
}

/// A message for a person if an MP4 file has fewer bytes than its boxes state, which symphonia reports as other
/// faults.
pub(super) fn describe_cut(file: &mut File) -> Option<String> {
    let have = file.metadata().ok()?.len();
    let mut pos = 0;
    while let Some((kind, _, end)) = box_head(file, pos, have) {
        if pos == 0 && &kind != b"ftyp" {
            return None;
        }
        if end > have {
            return Some(format!("is cut off: it should have {end} bytes and has {have}"));
        }
        pos = end;
    }
    None
}

/// Whether a fragment of the file states more packets than the file has bytes. Symphonia would count to that number, up to
/// 2^32, and a small file may hold many such fragments.
pub(super) fn has_absurd_counts(file: &mut File) -> bool {
    let Ok(about) = file.metadata() else { return false };
    let (file_len, mut pos) = (about.len(), 0);
    while let Some((kind, body, end)) = box_head(file, pos, file_len) {
        if &kind == b"moof" {
            let mut moof = Vec::new();
            if file.take((end - body).min(MOOV_LIMIT_BYTES)).read_to_end(&mut moof).is_err() {
                return false;
            }
            if packet_counts(&moof).any(|count| u64::from(count) > file_len) {
                return true;
            }
        }
        pos = end;
    }
    false
}

/// The number of packets of each run of a fragment.
fn packet_counts(moof: &[u8]) -> impl Iterator<Item = u32> {
    let tracks = boxes(moof).filter(|(kind, _)| kind == b"traf");
    tracks
        .flat_map(|(_, traf)| boxes(traf))
        .filter(|(kind, _)| kind == b"trun")
        .filter_map(|(_, run)| be_u32(run, 4))
}

/// The body of the file's `moov` box.
fn read_moov(file: &mut File) -> Option<Vec<u8>> {
    let file_len = file.metadata().ok()?.len();
    let mut pos = 0;
    loop {
        let (kind, body, end) = box_head(file, pos, file_len)?;
        if &kind == b"moov" {
            let mut data = Vec::new();
            file.take((end - body).min(MOOV_LIMIT_BYTES)).read_to_end(&mut data).ok()?;
            return Some(data);
        }
        pos = end;
    }
}

/// Kind, start of the body and end of the box at `pos`; the file is left at the body.
fn box_head(file: &mut File, pos: u64, file_len: u64) -> Option<([u8; 4], u64, u64)> {
    file.seek(SeekFrom::Start(pos)).ok()?;
    let mut head = [0; 16];
    file.read_exact(&mut head[..8]).ok()?;
    let (size, head_len) = match be_u32(&head, 0)? {
        0 => (file_len - pos, 8),
        1 => {
            file.read_exact(&mut head[8..]).ok()?;
            (be_u64(&head, 8)?, 16)
        }
        size => (u64::from(size), 8),
    };
    let kind = head[4..8].try_into().ok()?;
    (size >= head_len).then_some((kind, pos + head_len, pos.checked_add(size)?))
}

fn edits_of(moov: &[u8]) -> Vec<TrackEdit> {
    let movie_scale = find(moov, b"mvhd").and_then(timescale).unwrap_or(0);
    let gapless = boxes(moov).filter(|(kind, _)| kind == b"udta").find_map(|(_, udta)| gapless_tag(udta));
    let tracks: Vec<_> = boxes(moov).filter(|(kind, _)| kind == b"trak").map(|(_, body)| body).collect();
    let is_only = tracks.iter().filter(|trak| is_sound(trak)).count() == 1;
    tracks
        .iter()
        .filter(|trak| is_sound(trak))
        .filter_map(|trak| edit_of(trak, movie_scale, if is_only { gapless } else { None }))
        .collect()
}

fn is_sound(trak: &[u8]) -> bool {
    path_to(trak, &[b"mdia", b"hdlr"]).and_then(|hdlr| hdlr.get(8..12)) == Some(b"soun")
}

fn edit_of(trak: &[u8], movie_scale: u32, gapless: Option<GaplessTag>) -> Option<TrackEdit> {
    let tkhd = find(trak, b"tkhd")?;
    let track_id = be_u32(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 })?;
    let scale = path_to(trak, &[b"mdia", b"mdhd"]).and_then(timescale).filter(|scale| *scale > 0)?;
    let entry = path_to(trak, &[b"mdia", b"minf", b"stbl", b"stsd"]).and_then(|stsd| stsd.get(12..16));
    let mut edit = TrackEdit {
        track_id,
        is_protected: matches!(entry, Some(b"drms" | b"enca")),
        ..TrackEdit::default()
    };
    let list = path_to(trak, &[b"edts", b"elst"]).map(edit_list).unwrap_or_default();
    if movie_scale > 0 {
        apply_edit_list(&mut edit, &list, f64::from(scale), f64::from(movie_scale));
    }
    if let Some(tag) = gapless {
        // iTunes counts in samples, edit lists often in milliseconds: the tag is more precise.
        let scale = f64::from(scale);
        edit.start_s = tag.delay as f64 / scale;
        edit.length_s = Some((tag.frames as f64 / scale, 0.0));
    }
    Some(edit)
}

/// ISO/IEC 14496-12, 8.6.6. An empty edit first is a lead-in; of several real edits only the start counts: a
/// track that is cut into pieces is not a stem.
fn apply_edit_list(edit: &mut TrackEdit, list: &[(u64, i64)], scale: f64, movie_scale: f64) {
    let mut entries = list.iter().copied().peekable();
    while let Some((duration, _)) = entries.next_if(|(_, media_time)| *media_time < 0) {
        edit.lead_in_s += duration as f64 / movie_scale;
    }
    if let Some((duration, media_time)) = entries.next() {
        edit.start_s = media_time as f64 / scale;
        if duration > 0 && entries.next().is_none() {
            edit.length_s = Some((duration as f64 / movie_scale, 1.0 / movie_scale));
        }
    }
}

/// Duration in the movie's time scale and start in the track's (-1: silence) of each entry.
fn edit_list(elst: &[u8]) -> Vec<(u64, i64)> {
    let is_long = elst.first() == Some(&1);
    let entry_len = if is_long { 20 } else { 12 };
    let count = be_u32(elst, 4).unwrap_or(0) as usize;
    let entry = |index: usize| {
        let at = 8 + index.checked_mul(entry_len)?;
        if is_long {
            Some((be_u64(elst, at)?, be_u64(elst, at + 8)? as i64))
        } else {
            Some((u64::from(be_u32(elst, at)?), i64::from(be_u32(elst, at + 4)? as i32)))
        }
    };
    (0..count).map_while(entry).collect()
}

/// Encoder delay and length of the sound in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
struct GaplessTag {
    delay: u64,
    frames: u64,
}

/// `udta/meta/ilst/----` with the name `iTunSMPB`: hexadecimal words, the second the delay, the fourth the length.
fn gapless_tag(udta: &[u8]) -> Option<GaplessTag> {
    let meta = find(udta, b"meta")?;
    // A full box in MP4, a plain one in QuickTime.
    let ilst = find(meta.get(4..)?, b"ilst").or_else(|| find(meta, b"ilst"))?;
    let tag = boxes(ilst)
        .filter(|(kind, _)| kind == b"----")
        .map(|(_, body)| body)
        .find(|body| find(body, b"name").is_some_and(|name| name.ends_with(b"iTunSMPB")))?;
    let text = std::str::from_utf8(find(tag, b"data")?.get(8..)?).ok()?;
    let mut words = text.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16).ok());
    let delay = words.nth(1)??;
    let frames = words.nth(1)??;
    (delay <= SMPB_DELAY_LIMIT && frames > 0).then_some(GaplessTag { delay, frames })
}

/// Units per second, from an `mvhd` or `mdhd`.
fn timescale(body: &[u8]) -> Option<u32> {
    be_u32(body, if body.first() == Some(&1) { 20 } else { 12 })
}

/// Kind and body of each box in turn, until one is malformed.
fn boxes(mut data: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let kind = data.get(4..8)?.try_into().ok()?;
        let (size, head_len) = match be_u32(data, 0)? {
            0 => (data.len(), 8),
            1 => (usize::try_from(be_u64(data, 8)?).ok()?, 16),
            size => (size as usize, 8),
        };
        let body = data.get(head_len..size)?;
        data = &data[size..];
        Some((kind, body))
    })
}

fn find<'a>(data: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(data).find(|(found, _)| found == kind).map(|(_, body)| body)
}

fn path_to<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |body, kind| find(body, kind))
}

fn be_u32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn be_u64(data: &[u8], at: usize) -> Option<u64> {
    data.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn make(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(body.len() as u32 + 8).to_be_bytes(), kind.as_slice(), &body].concat()
    }

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    fn moov(elst: &[u8], tag: Option<&str>, entry: &[u8; 4]) -> Vec<u8> {
        let trak = make(
            b"trak",
            &[
                &make(b"tkhd", &[&words(&[0, 0, 0, 7])]),
                &make(b"edts", &[&make(b"elst", &[elst])]),
                &make(
                    b"mdia",
                    &[
                        &make(b"mdhd", &[&words(&[0, 0, 0, 48_000, 96_000])]),
                        &make(b"hdlr", &[&words(&[0, 0]), b"soun"]),
                        &make(b"minf", &[&make(b"stbl", &[&make(b"stsd", &[&words(&[0, 1, 16]), entry])])]),
                    ],
                ),
            ],
        );
        let mut all = [make(b"mvhd", &[&words(&[0, 0, 0, 1000, 2000])]), trak].concat();
        if let Some(tag) = tag {
            let name = make(b"name", &[&words(&[0]), b"iTunSMPB"]);
            let data = make(b"data", &[&words(&[1, 0]), tag.as_bytes()]);
            let meta = [words(&[0]), make(b"ilst", &[&make(b"----", &[&name, &data])])].concat();
            all.extend(make(b"udta", &[&make(b"meta", &[&meta])]));
        }
        all
    }

    #[test]
    fn reads_the_edit_list() {
        let list = words(&[0, 2, 500, u32::MAX, 1 << 16, 1900, 1024, 1 << 16]);
        let edits = edits_of(&moov(&list, None, b"mp4a"));
        assert_eq!(edits.len(), 1);
        assert_eq!(edits[0].track_id, 7);
        assert_eq!(edits[0].lead_in_s, 0.5);
        assert_eq!(edits[0].start_s, 1024.0 / 48_000.0);
        assert_eq!(edits[0].length_s, Some((1.9, 0.001)));
        assert!(!edits[0].is_protected);
    }

    #[test]
    fn a_fragment_with_more_packets_than_bytes_is_absurd() {
        let file_of = |count: u32| {
            let run = make(b"trun", &[&words(&[0, count])]);
            let moof = make(b"moof", &[&make(b"mfhd", &[&words(&[0, 1])]), &make(b"traf", &[&run])]);
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, &[make(b"ftyp", &[b"M4A "]), moof].concat()).unwrap();
            file
        };
        assert!(!has_absurd_counts(&mut file_of(11)));
        assert!(has_absurd_counts(&mut file_of(0xff00_000b)));
    }

    #[test]
    fn the_gapless_tag_is_finer_than_the_edit_list() {
        let list = words(&[0, 1, 1900, 1024, 1 << 16]);
        let tag = " 00000000 00000840 000001CA 0000000000015F90 00000000 00000000";
        let edit = edits_of(&moov(&list, Some(tag), b"drms"))[0];
        assert_eq!(edit.start_s, 2112.0 / 48_000.0);
        assert_eq!(edit.length_s, Some((90_000.0 / 48_000.0, 0.0)));
        assert!(edit.is_protected);
    }

    #[test]
    fn junk_is_survived() {
        let whole = moov(&words(&[0, 9, 1, 2, 3]), Some(" 0 zz"), b"mp4a");
        for cut in 0..whole.len() {
            edits_of(&whole[..cut]);
            let mut bent = whole.clone();
            bent[cut] = 0xff;
            edits_of(&bent);
        }
    }
}
