//! What a file is and how long it is: heads of WAV files with wrong lengths, long WAV formats, archives and projects.

#![allow(clippy::unwrap_used)]

use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::{FileStream, StereoPcm, decode_file};
use std::path::{Path, PathBuf};

const RATE_HZ: u32 = 8_000;
const FRAMES: usize = 4_000;

/// Interleaved 16-bit samples of two channels.
fn samples() -> Vec<u8> {
    (0..FRAMES * 2).flat_map(|n| ((n * 37 % 20_001) as i16 - 10_000).to_le_bytes()).collect()
}

fn chunk(id: &[u8; 4], len: u32, body: &[u8]) -> Vec<u8> {
    let pad = body.len() % 2;
    [id.as_slice(), &len.to_le_bytes(), body, &[0][..pad]].concat()
}

fn fmt(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(RATE_HZ.to_le_bytes());
    body.extend((RATE_HZ * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

/// A WAV file with these lengths in `RIFF` and `data`, and chunks around the sound.
fn wav(riff_len: Option<u32>, data_len: Option<u32>, before: &[u8], after: &[u8]) -> Vec<u8> {
    let (format, data) = (fmt(1, 2, 16), samples());
    let body = [
        b"WAVE".as_slice(),
        &chunk(b"fmt ", 16, &format),
        before,
        &chunk(b"data", data_len.unwrap_or(data.len() as u32), &data),
        after,
    ]
    .concat();
    [b"RIFF".as_slice(), &riff_len.unwrap_or(body.len() as u32).to_le_bytes(), &body].concat()
}

fn write(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn decode(path: &Path) -> StereoPcm {
    decode_file(path, &CancelFlag::new()).unwrap()
}

fn warnings(path: &Path) -> Vec<String> {
    let mut stream = FileStream::open(path).unwrap();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while stream.next_chunk(&mut left, &mut right).unwrap() {}
    stream.warnings()
}

fn message(path: &Path) -> String {
    let text = decode_file(path, &CancelFlag::new()).unwrap_err().to_string();
    for jargon in
        ["riff:", "wav:", "mpa:", "aac:", "chunk", "unsupported feature", "malformed", "end of stream"]
    {
        assert!(!text.contains(jargon), "{text}");
    }
    text
}

#[test]
fn wav_lengths_that_are_placeholders_or_wrong_are_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let plain = decode(&write(&dir, "plain.wav", &wav(None, None, &[], &[])));
    assert_eq!(plain.len(), FRAMES);
    let data = samples().len() as u32;
    let unknown = [0, 0x7fff_f000, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff];
    let mut cases: Vec<(Option<u32>, Option<u32>)> =
        unknown.iter().flat_map(|a| unknown.map(|b| (Some(*a), Some(b)))).collect();
    cases.extend(unknown.map(|len| (Some(len), None)));
    cases.extend(unknown.map(|len| (None, Some(len))));
    // The head alone was counted, or counted too, or the eight bytes before it; or a byte was dropped.
    cases.extend([36, 44, data, data + 44, data + 8].map(|len| (Some(len), None)));
    cases.extend([data + 36, data + 44, data + 8, data + 1].map(|len| (None, Some(len))));
    cases.push((Some(36), Some(0)));
    for (riff_len, data_len) in cases {
        let path = write(&dir, "odd.wav", &wav(riff_len, data_len, &[], &[]));
        assert_eq!(decode(&path), plain, "RIFF {riff_len:?}, data {data_len:?}");
        assert!(warnings(&path).is_empty(), "RIFF {riff_len:?}, data {data_len:?}");
    }
}

#[test]
fn chunks_around_the_sound_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let plain = decode(&write(&dir, "plain.wav", &wav(None, None, &[], &[])));
    let list = chunk(b"LIST", 12, b"INFOIART\0\0\0\0");
    // An odd length without the byte that makes it even.
    let unpadded = [b"note\x05\0\0\0".as_slice(), b"hello"].concat();
    let padded = chunk(b"note", 5, b"hello");
    for (before, after) in [
        (list.as_slice(), [].as_slice()),
        (&padded, &list),
        (&unpadded, &[]),
        (&unpadded, &list),
        (&[], &chunk(b"id3 ", 4, b"\0\0\0\0")),
        (&[], b"TAG"),
    ] {
        for riff_len in [None, Some(0xffff_ffff)] {
            let path = write(&dir, "around.wav", &wav(riff_len, None, before, after));
            assert_eq!(decode(&path), plain, "{before:?} {after:?}");
        }
    }
    // Nothing in the sound of a length 0 is taken for chunks, and an empty one stays empty.
    let empty = wav(None, Some(0), &[], &[])[..44].to_vec();
    assert!(message(&write(&dir, "empty.wav", &empty)).contains("holds no sound"));
}

#[test]
fn a_length_that_was_not_brought_up_to_date_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "stale.wav", &wav(None, Some(8_000), &[], &[]));
    assert_eq!(decode(&path).len(), FRAMES);
    let warnings = warnings(&path);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("stale.wav states a length of 0.2 s and holds 0.5 s"), "{}", warnings[0]);
}

#[test]
fn heads_of_long_wav_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let plain = decode(&write(&dir, "plain.wav", &wav(None, None, &[], &[])));
    let (format, data) = (fmt(1, 2, 16), samples());
    for id in [b"RF64", b"BW64"] {
        for long in [data.len() as u64, 0, u64::MAX] {
            let ds64 = [&0u64.to_le_bytes(), &long.to_le_bytes(), &0u64.to_le_bytes(), &[0; 4][..]].concat();
            let body = [
                b"WAVE".as_slice(),
                &chunk(b"ds64", 28, &ds64),
                &chunk(b"fmt ", 16, &format),
                &chunk(b"data", u32::MAX, &data),
            ]
            .concat();
            let bytes = [id.as_slice(), &[0xff; 4], &body].concat();
            let path = write(&dir, "long.wav", &bytes);
            assert_eq!(decode(&path), plain, "{long}");
            if long == data.len() as u64 {
                let cut = write(&dir, "cut.wav", &bytes[..bytes.len() / 2]);
                assert!(message(&cut).contains("is cut off after 0.2 s of 0.5 s"), "{}", message(&cut));
            }
        }
    }
    let rest = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
    let wave64 = |id: &[u8; 4], len: Option<u64>, body: &[u8]| {
        let pad = body.len().next_multiple_of(8) - body.len();
        let len = len.unwrap_or(body.len() as u64 + 24);
        [id.as_slice(), rest, &len.to_le_bytes(), body, &vec![0; pad]].concat()
    };
    for (outer, inner) in [(200, None), (u64::MAX, Some(u64::MAX)), (0, Some(0)), (0, Some(i64::MAX as u64))]
    {
        let bytes = [
            b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00".as_slice(),
            &u64::to_le_bytes(outer),
            b"wave",
            rest,
            &wave64(b"fmt ", None, &format),
            &wave64(b"junk", None, b"12345"),
            &wave64(b"data", inner, &data),
        ]
        .concat();
        assert_eq!(decode(&write(&dir, "a.w64", &bytes)), plain, "{outer} {inner:?}");
    }
}

#[test]
fn every_way_to_store_samples_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let value = |n: usize| (n as f64 / 50.0).sin() * 0.5;
    let guid =
        |tag: u16| [&tag.to_le_bytes(), b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71".as_slice()].concat();
    let int = |bits: u32| move |x: f64| ((x * f64::from(1u32 << (bits - 1))) as i64).to_le_bytes();
    let encode = |bits: u16, is_float: bool| -> Vec<u8> {
        (0..FRAMES)
            .flat_map(|n| match (bits, is_float) {
                (8, _) => vec![(value(n) * 128.0 + 128.0) as u8],
                (32, true) => (value(n) as f32).to_le_bytes().to_vec(),
                (64, true) => value(n).to_le_bytes().to_vec(),
                (bits, _) => int(u32::from(bits))(value(n))[..usize::from(bits / 8)].to_vec(),
            })
            .collect()
    };
    for (tag, bits) in [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)] {
        let data = encode(bits, tag == 3);
        let plain = fmt(tag, 1, bits);
        let mut extensible = fmt(0xfffe, 1, bits);
        extensible.extend([22u16.to_le_bytes(), bits.to_le_bytes()].concat());
        extensible.extend([&4u32.to_le_bytes(), guid(tag).as_slice()].concat());
        // Longer than the specification has it, as some programs write it.
        let long = [plain.as_slice(), &[4, 0, 0, 0, 0, 0]].concat();
        for format in [plain, extensible, long] {
            let body = [
                b"WAVE".as_slice(),
                &chunk(b"fmt ", format.len() as u32, &format),
                &chunk(b"data", data.len() as u32, &data),
            ]
            .concat();
            let bytes = [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat();
            let pcm = decode(&write(&dir, "kind.wav", &bytes));
            assert_eq!(pcm.len(), FRAMES, "{tag} {bits} {}", format.len());
            for (n, sample) in pcm.left.iter().enumerate() {
                assert!((f64::from(*sample) - value(n)).abs() < 0.01, "{tag} {bits} at {n}: {sample}");
            }
        }
    }
}

#[test]
fn aiff_lengths_that_are_placeholders_are_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data: Vec<u8> = samples().chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let plain = decode(&write(&dir, "plain.wav", &wav(None, None, &[], &[])));
    // 8,000 as an 80-bit float.
    let rate = b"\x40\x0b\xfa\0\0\0\0\0\0\0";
    let right = data.len() as u32 + 8;
    for (outer, sound, frames) in
        [(right + 46, right, FRAMES as u32), (0, 0, 0), (u32::MAX, u32::MAX, 0), (46, right, 0), (0, 8, 0)]
    {
        let comm = [&2u16.to_be_bytes(), &frames.to_be_bytes()[..], &16u16.to_be_bytes(), rate].concat();
        let bytes = [
            b"FORM".as_slice(),
            &outer.to_be_bytes(),
            b"AIFFCOMM",
            &18u32.to_be_bytes(),
            &comm,
            b"SSND",
            &sound.to_be_bytes(),
            &[0; 8],
            &data,
        ]
        .concat();
        assert_eq!(decode(&write(&dir, "a.aiff", &bytes)), plain, "{outer} {sound} {frames}");
    }
}

#[test]
fn sound_inside_something_else_is_not_the_song() {
    let dir = tempfile::tempdir().unwrap();
    let inside = wav(None, None, &[], &[]);
    let around = |head: &[u8], at: usize| {
        let mut bytes = head.to_vec();
        bytes.resize(at, 0);
        [bytes, inside.clone()].concat()
    };
    let mut tar = vec![b'x'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, head, at, word) in [
        ("stems.zip", b"PK\x03\x04\x14\0\0\0\0\0".as_slice(), 40, "ZIP archive"),
        ("stems.7z", b"7z\xbc\xaf\x27\x1c", 32, "7-Zip"),
        ("stems.rar", b"Rar!\x1a\x07\x01\0", 64, "RAR"),
        ("stems.tar", &tar, 512, "tar archive"),
        ("set.als", b"\x1f\x8b\x08\0\0\0\0\0\0\x13", 10, "Ableton"),
        ("song.rpp", b"<REAPER_PROJECT 0.1 \"7.0\"", 4096, "REAPER"),
        ("song.ptx", b"\x030010111100101011\0", 4096, "Pro Tools"),
        ("song.flp", b"FLhd\x06\0\0\0", 4096, "FL Studio"),
        ("song.bwproject", b"BtWg0003", 4096, "Bitwig"),
        ("song.cpr", b"RIFF\0\0\0\0NUND", 4096, "Cubase"),
        ("cover.png", b"\x89PNG\r\n\x1a\n", 4096, "PNG"),
        ("sheet.pdf", b"%PDF-1.7\n", 4096, "PDF"),
        ("film.avi", b"RIFF\0\0\0\0AVI LIST", 4096, "AVI"),
        ("notes.txt", "the mix of Tuesday\n".repeat(40).as_bytes(), 760, "text file"),
        ("noise.bin", b"\x8f\x11\x02\x44\x91", 4096, "is not an audio file"),
        ("zeros.bin", b"\0", 4096, "is not an audio file"),
    ] {
        let text = message(&write(&dir, name, &around(head, at)));
        assert!(text.contains(word), "{name}: {text}");
    }
    let tagged = [b"ID3\x04\0\0\0\0\0\x0a".as_slice(), &[0; 10], &inside].concat();
    assert_eq!(decode(&write(&dir, "tagged.wav", &tagged)).len(), FRAMES, "a tag may come before the sound");
}

#[test]
fn sound_of_other_kinds_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (name, head, word) in [
        ("a.wv", b"wvpk\0\0\0\0".as_slice(), "WavPack"),
        ("a.ape", b"MAC \x96\x0f", "Monkey's Audio"),
        ("a.mpc", b"MPCKSH", "Musepack"),
        ("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "Windows Media"),
        ("a.dsf", b"DSD \x1c\0\0\0", "DSD"),
        ("a.tta", b"TTA1\x01\0", "True Audio"),
        ("a.wav", b"RIFX\0\0\0\0WAVE", "big-endian"),
        ("a.mid", b"MThd\0\0\0\x06", "MIDI"),
    ] {
        let bytes = [head, &[0x81; 3000]].concat();
        let text = message(&write(&dir, name, &bytes));
        assert!(text.contains(word) && (text.contains("WAV or FLAC")), "{name}: {text}");
    }
}
