//! Files made by ffmpeg: each codec must return its sound at the same sample position and with the same length.
//!
//! Without ffmpeg these tests are skipped with a message; with the variable `CI` set they fail.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use mixing_buddy_core::audio::{StereoPcm, decode_file};
use mixing_buddy_core::{CancelFlag, Error};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

/// Neither a multiple of 1024 nor of 1152.
const FRAMES: usize = 100_003;
/// Positions of the clicks, the first and the last sample among them.
const CLICKS: [usize; 4] = [0, 30_001, 77_777, FRAMES - 1];

fn noise() -> Vec<[f32; 2]> {
    // White noise through a one-pole low-pass: broad enough to place it, soft enough for lossy codecs.
    let mut state = 12_345u32;
    let mut white = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let (mut l, mut r) = (0.0, 0.0);
    (0..FRAMES)
        .map(|n| {
            l = 0.7 * l + 0.15 * white();
            r = 0.7 * r + 0.15 * white();
            let click = if CLICKS.contains(&n) { 0.5 } else { 0.0 };
            [l + click, r + click]
        })
        .collect()
}

fn write_noise(path: &Path, rate_hz: u32) -> Vec<[f32; 2]> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let noise = noise();
    for sample in noise.iter().flatten() {
        writer.write_sample((sample * 32_767.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    noise
}

/// Encodes `source`; none if ffmpeg or its encoder is missing and the variable `CI` is not set.
fn encode(source: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    recode(&[], source, name, options)
}

/// As [`encode`], with options for reading the source.
fn recode(reading: &[&str], source: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    let target = source.with_file_name(name);
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(reading)
        .arg("-i")
        .arg(source)
        .args(options)
        .arg(&target)
        .stderr(Stdio::piped())
        .output();
    match run {
        Ok(done) if done.status.success() => Some(target),
        Ok(done) => {
            let cause = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(cause.contains("Unknown encoder"), "{cause}");
            prerequisite::missing(&format!("the encoder of ffmpeg for {name}"));
            None
        }
        Err(_) => {
            prerequisite::missing("ffmpeg");
            None
        }
    }
}

fn decode(path: &Path) -> Result<StereoPcm, Error> {
    decode_file(path, &CancelFlag::new())
}

/// By how many frames `pcm` lies behind `original`, and the correlation there.
fn lag(pcm: &StereoPcm, original: &[[f32; 2]]) -> (i64, f64) {
    let range = 3000..original.len().min(pcm.len()) - 3000;
    let correlation = |lag: i64| {
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for n in range.clone().step_by(3) {
            let (x, y) = (f64::from(original[n][0]), f64::from(pcm.left[(n as i64 + lag) as usize]));
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        xy / (xx * yy).sqrt()
    };
    let best = (-2500..=2500).map(|lag| (lag, correlation(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    (best.0, best.1)
}

fn check(name: &str, rate_hz: u32, options: &[&str], is_lossless: bool, tail_frames: i64) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    let original = write_noise(&source, rate_hz);
    let Some(path) = encode(&source, name, options) else { return };
    let pcm = decode(&path).unwrap();
    assert_eq!(pcm.sample_rate_hz, rate_hz);
    let (lag, likeness) = lag(&pcm, &original);
    let longer = pcm.len() as i64 - FRAMES as i64;
    println!("{name} at {rate_hz} Hz: lag {lag}, longer by {longer}, correlation {likeness:.4}");
    assert_eq!(lag, 0, "{name} at {rate_hz} Hz is moved");
    assert!(likeness > 0.8, "{name} at {rate_hz} Hz: {likeness}");
    assert!((0..=tail_frames).contains(&longer), "{name} at {rate_hz} Hz is longer by {longer}");
    if is_lossless {
        for (n, [l, r]) in original.iter().enumerate() {
            assert!((pcm.left[n] - l).abs() < 1e-4 && (pcm.right[n] - r).abs() < 1e-4, "{name}, frame {n}");
        }
    }
}

#[test]
fn lossless_files_are_unchanged() {
    check("a.flac", 44_100, &[], true, 0);
    check("a.wav", 48_000, &["-c:a", "pcm_s24le"], true, 0);
    check("a.aiff", 44_100, &[], true, 0);
    check("a.caf", 44_100, &["-c:a", "pcm_s16be"], true, 0);
    check("alac.m4a", 44_100, &["-c:a", "alac"], true, 0);
}

#[test]
fn mp3_starts_and_ends_on_the_exact_sample() {
    for rate_hz in [44_100, 48_000, 32_000, 22_050] {
        check("a.mp3", rate_hz, &["-c:a", "libmp3lame", "-b:a", "128k"], false, 0);
    }
    check("vbr.mp3", 44_100, &["-c:a", "libmp3lame", "-q:a", "2"], false, 0);
}

#[test]
fn vorbis_starts_and_ends_on_the_exact_sample() {
    for rate_hz in [44_100, 48_000, 32_000] {
        check("a.ogg", rate_hz, &["-c:a", "libvorbis", "-q:a", "6"], false, 0);
    }
}

#[test]
fn aac_starts_and_ends_on_the_exact_sample() {
    for rate_hz in [44_100, 48_000, 32_000] {
        check("a.m4a", rate_hz, &["-c:a", "aac", "-b:a", "192k"], false, 0);
    }
    check("fast.m4a", 44_100, &["-c:a", "aac", "-movflags", "+faststart"], false, 0);
}

#[test]
fn itunes_gapless_tag_replaces_the_edit_list() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    let original = write_noise(&source, 44_100);
    let Some(path) = encode(&source, "a.m4a", &["-c:a", "aac", "-b:a", "192k"]) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    let find = |bytes: &[u8], kind: &[u8]| bytes.windows(4).rposition(|at| at == kind).unwrap();
    // Remove the edit list, and append a tag to `moov`, which ffmpeg writes last.
    let edits = find(&bytes, b"edts");
    bytes[edits..edits + 4].copy_from_slice(b"free");
    let moved = lag(&decode_bytes(&path, &bytes), &original).0;
    assert_eq!(moved, 1024, "without either, the delay of ffmpeg's encoder stays");
    let text = format!(" 00000000 00000400 00000000 {FRAMES:016X} 00000000");
    let boxed = |kind: &[u8; 4], parts: &[&[u8]]| {
        let body = parts.concat();
        [(body.len() as u32 + 8).to_be_bytes().as_slice(), kind, &body].concat()
    };
    let tag = boxed(
        b"----",
        &[
            &boxed(b"mean", &[&[0; 4], b"com.apple.iTunes"]),
            &boxed(b"name", &[&[0; 4], b"iTunSMPB"]),
            &boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()]),
        ],
    );
    let hdlr = boxed(b"hdlr", &[&[0; 8], b"mdirappl", &[0; 9]]);
    let udta = boxed(b"udta", &[&boxed(b"meta", &[&[0; 4], &hdlr, &boxed(b"ilst", &[&tag])])]);
    let moov = find(&bytes, b"moov") - 4;
    let size = (bytes.len() - moov + udta.len()) as u32;
    bytes[moov..moov + 4].copy_from_slice(&size.to_be_bytes());
    bytes.extend(udta);
    let pcm = decode_bytes(&path, &bytes);
    assert_eq!((lag(&pcm, &original).0, pcm.len()), (0, FRAMES));
}

fn decode_bytes(path: &Path, bytes: &[u8]) -> StereoPcm {
    std::fs::write(path, bytes).unwrap();
    decode(path).unwrap()
}

#[test]
fn files_without_gapless_information_keep_all_their_sound() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    let original = write_noise(&source, 44_100);
    for (name, options) in [
        ("plain.mp3", &["-c:a", "libmp3lame", "-q:a", "0", "-write_xing", "0"][..]),
        ("plain.aac", &["-c:a", "aac", "-b:a", "192k"]),
        ("parts.m4a", &["-c:a", "aac", "-b:a", "192k", "-movflags", "+frag_keyframe+empty_moov"]),
    ] {
        let Some(path) = encode(&source, name, options) else { continue };
        let pcm = decode(&path).unwrap();
        let longer = pcm.len() as i64 - FRAMES as i64;
        println!("{name}: lag {}, longer by {longer}", lag(&pcm, &original).0);
        assert!((0..4000).contains(&longer), "{name} is longer by {longer}");
    }
}

#[test]
fn cut_and_damaged_files_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    write_noise(&source, 44_100);
    for (name, options) in [
        ("a.flac", &[][..]),
        ("a.mp3", &["-c:a", "libmp3lame"]),
        ("a.m4a", &["-c:a", "aac", "-movflags", "+faststart"]),
        ("alac.m4a", &["-c:a", "alac", "-movflags", "+faststart"]),
        ("late.m4a", &["-c:a", "aac"]),
        ("a.ogg", &["-c:a", "libvorbis"]),
    ] {
        let Some(path) = encode(&source, name, options) else { continue };
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        match decode(&path) {
            Ok(pcm) => panic!("{name} cut: {} frames", pcm.len()),
            Err(error) => {
                let text = error.to_string();
                println!("{text}");
                let is_told = text.contains("is cut off after") && text.contains("of 2.3 s");
                let is_at_opening = ["a.m4a", "alac.m4a", "late.m4a", "a.ogg"].contains(&name);
                assert!(is_told || (is_at_opening && text.contains("is cut off: it")), "{text}");
            }
        }
        // Damaged in the middle: an error, or every sample in its place.
        let mut torn = whole.clone();
        let middle = torn.len() / 2;
        torn[middle..middle + 3000].fill(0x55);
        std::fs::write(&path, &torn).unwrap();
        match decode(&path) {
            Ok(pcm) => {
                println!("{name} damaged: read whole");
                assert_eq!(pcm.len(), FRAMES, "{name} damaged");
            }
            Err(error) => println!("{error}"),
        }
    }
}

#[test]
fn one_damaged_flac_frame_becomes_silence_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    let original = write_noise(&source, 44_100);
    let Some(path) = encode(&source, "a.flac", &["-frame_size", "500"]) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let pcm = decode(&path).unwrap();
    assert_eq!(pcm.len(), FRAMES);
    assert!((pcm.left[FRAMES - 1] - original[FRAMES - 1][0]).abs() < 1e-4, "the end has moved");
}

#[test]
fn a_damaged_first_packet_does_not_move_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    let original = write_noise(&source, 44_100);
    let Some(path) = encode(&source, "a.m4a", &["-c:a", "alac"]) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    let start = bytes.windows(4).position(|at| at == b"mdat").unwrap() + 4;
    bytes[start..start + 200].fill(0xff);
    let pcm = decode_bytes(&path, &bytes);
    assert_eq!(pcm.len(), FRAMES);
    assert!(pcm.left[..4096].iter().all(|x| *x == 0.0));
    assert!((pcm.left[FRAMES - 1] - original[FRAMES - 1][0]).abs() < 1e-4, "the end has moved");
}

#[test]
fn opus_starts_and_ends_on_the_exact_sample() {
    for name in ["a.opus", "a.ogg", "a.mp4"] {
        check(name, 48_000, &["-c:a", "libopus", "-b:a", "160k"], false, 0);
    }
    // Matroska states the padding of the last packet in a way that symphonia does not read: 20 ms.
    check("a.webm", 48_000, &["-c:a", "libopus", "-b:a", "160k"], false, 960);
}

/// Against libopus, the reference implementation. (ffmpeg's own decoder resamples low rates in another way.)
#[test]
fn opus_is_decoded_as_by_libopus() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    write_noise(&source, 48_000);
    for (name, options) in [
        ("voice.opus", &["-ac", "1", "-b:a", "16k", "-application", "voip"][..]),
        ("stereo.opus", &["-b:a", "96k"]),
        ("low.opus", &["-b:a", "36k"]),
        ("long.opus", &["-b:a", "256k", "-frame_duration", "60"]),
        ("5.1.opus", &["-af", "pan=5.1|FL=c0|FR=c1|FC=0.5*c0|LFE=c1|BL=0.3*c1|BR=-1*c0", "-b:a", "300k"]),
    ] {
        let Some(opus) = encode(&source, name, &[&["-c:a", "libopus"], options].concat()) else { continue };
        let name_of_wav = format!("{name}.wav");
        let wav = recode(&["-c:a", "libopus"], &opus, &name_of_wav, &["-c:a", "pcm_f32le"]);
        let Some(wav) = wav else { continue };
        let (ours, theirs) = (decode(&opus).unwrap(), decode(&wav).unwrap());
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let (mut signal, mut noise) = (0.0, 0.0);
        for (ours, theirs) in ours.left.iter().chain(&ours.right).zip(theirs.left.iter().chain(&theirs.right))
        {
            signal += f64::from(theirs * theirs);
            noise += f64::from((ours - theirs) * (ours - theirs));
        }
        let ratio_db = 10.0 * f64::log10(signal / noise);
        println!("{name}: {ratio_db:.1} dB");
        assert!(ratio_db > 60.0, "{name}: {ratio_db:.1} dB");
    }
}

#[test]
fn codecs_that_are_not_read_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    write_noise(&source, 48_000);
    for (name, options, word) in [
        ("5.1.m4a", &["-c:a", "aac", "-ac", "6"][..], "AAC with more than two channels"),
        ("5.1.aac", &["-c:a", "aac", "-ac", "6"], "AAC with more than two channels"),
        ("a.wv", &[], "WavPack"),
        ("a.wma", &["-c:a", "wmav2"], "Windows Media"),
        ("wma.wav", &["-c:a", "wmav2"], "Windows Media Audio"),
        ("a.ac3", &[], "Dolby Digital"),
        ("a.tta", &[], "True Audio"),
        ("a.au", &[], "an AU file"),
    ] {
        let Some(path) = encode(&source, name, options) else { continue };
        let text = decode(&path).unwrap_err().to_string();
        assert!(text.contains(word) && text.contains("Convert it to "), "{name}: {text}");
    }
}

#[test]
fn mpeg_audio_in_wav_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.wav");
    write_noise(&source, 44_100);
    let Some(path) = encode(&source, "mp3.wav", &["-c:a", "libmp3lame"]) else { return };
    assert!((0..4000).contains(&(decode(&path).unwrap().len() as i64 - FRAMES as i64)));
}
