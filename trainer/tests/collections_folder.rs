//! Song folders as users bring them: valid ones, and each kind of invalid one with its sentence.

#![allow(clippy::unwrap_used)]

use mixing_buddy_core::audio::MODEL_RATE_HZ;
use mixing_buddy_core::{CancelFlag, Error, Stem};
use mixing_buddy_trainer::collections::{SongError, SongFolder, find_songs, load_song, read_metadata};
use std::path::Path;

/// A sine of 200 Hz at this level in every channel.
fn write_wav(path: &Path, rate_hz: u32, channels: u16, seconds: f64, level: f32) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..(seconds * f64::from(rate_hz)) as usize {
        let angle = std::f64::consts::TAU * 200.0 * n as f64 / f64::from(rate_hz);
        for _ in 0..channels {
            writer.write_sample(level * angle.sin() as f32).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// A folder with one song in it, made of files at 44.1 kHz stereo with the given names and lengths.
fn song(files: &[(&str, f64)]) -> (tempfile::TempDir, SongFolder) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("A Song");
    std::fs::create_dir(&home).unwrap();
    for (name, seconds) in files {
        write_wav(&home.join(name), 44_100, 2, *seconds, 0.1);
    }
    let folder = find_songs(dir.path()).unwrap().remove(0);
    (dir, folder)
}

fn load(folder: &SongFolder) -> Result<mixing_buddy_trainer::collections::Song, SongError> {
    load_song(folder, &CancelFlag::new())
}

#[test]
fn finds_songs_and_stems_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b song", "A song", ".hidden"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("index.json"), "{}").unwrap();
    let home = dir.path().join("A song");
    for name in [
        "Vocals.WAV",
        "drums.flac",
        "drums_room.mp3",
        "bass.m4a",
        "bassoon.wav",
        "mixture.wav",
        "song.json",
        ".DS_Store",
        "cover.png",
    ] {
        std::fs::write(home.join(name), "").unwrap();
    }
    let songs = find_songs(dir.path()).unwrap();
    assert_eq!(songs.iter().map(|song| song.name.as_str()).collect::<Vec<_>>(), ["A song", "b song"]);
    let song = &songs[0];
    assert_eq!(song.stems.map(Vec::len).to_array(), [1, 2, 1, 0]);
    assert_eq!(song.present().collect::<Vec<_>>(), [Stem::Vocals, Stem::Drums, Stem::Bass]);
    assert_eq!(song.unknown_files, [home.join("bassoon.wav"), home.join("cover.png")]);
    assert!(song.check().is_ok());
    assert!(matches!(songs[1].check(), Err(SongError::NoStems { .. })));
}

#[test]
fn loads_mixed_rates_and_channels_at_the_model_rate() {
    let (_dir, mut folder) = song(&[("bass.wav", 2.0)]);
    for (name, rate_hz, channels, level) in
        [("vocals.wav", 48_000, 1, 0.2), ("drums.wav", 32_000, 6, 0.1), ("bass2.wav", 8_000, 2, 0.3)]
    {
        write_wav(&folder.dir.join(name), rate_hz, channels, 2.0, level);
    }
    folder = SongFolder::read(&folder.dir).unwrap();
    let song = load(&folder).unwrap();
    assert_eq!((song.name.as_str(), song.len(), song.duration_s()), ("A Song", 64_000, 2.0));
    assert!(song.warnings.is_empty(), "{:?}", song.warnings);
    assert!(song.stems.other.is_none());
    let five_one = 0.1 * (1.0 + 2.0 * std::f32::consts::FRAC_1_SQRT_2);
    for (stem, level) in [(Stem::Vocals, 0.2), (Stem::Drums, five_one), (Stem::Bass, 0.1 + 0.3)] {
        let pcm = song.stems[stem].as_ref().unwrap();
        assert_eq!((pcm.sample_rate_hz, pcm.len()), (MODEL_RATE_HZ, 64_000));
        for n in 2000..62_000 {
            let angle = std::f64::consts::TAU * 200.0 * n as f64 / 32_000.0;
            let expected = level * angle.sin() as f32;
            assert!((pcm.left[n] - expected).abs() < 2e-3, "{stem}, frame {n}");
            assert_eq!(pcm.left[n], pcm.right[n]);
        }
    }
}

#[test]
fn short_tails_are_padded_and_longer_ones_are_an_error() {
    let (_dir, folder) = song(&[("vocals.wav", 2.0), ("drums.wav", 1.2), ("other.wav", 2.0)]);
    std::fs::write(folder.dir.join("lyrics.txt"), "la").unwrap();
    let song_folder = SongFolder::read(&folder.dir).unwrap();
    let loaded = load(&song_folder).unwrap();
    for stem in [Stem::Vocals, Stem::Drums, Stem::Other] {
        assert_eq!(loaded.stems[stem].as_ref().unwrap().len(), 64_000);
    }
    assert!(loaded.stems.drums.unwrap().left[40_000..].iter().all(|x| x.abs() < 1e-2));
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("lyrics.txt"));
    assert!(loaded.warnings[1].contains("drums.wav ends 800 ms early"), "{:?}", loaded.warnings);

    let (_dir, folder) = song(&[("vocals.wav", 2.5), ("drums.wav", 1.2)]);
    let text = load(&folder).unwrap_err().to_string();
    assert!(text.contains("drums.wav lasts 1.2 s but ") && text.contains("vocals.wav lasts 2.5 s"), "{text}");
}

#[test]
fn songs_that_cannot_be_used_are_refused_with_a_sentence() {
    let (_dir, folder) = song(&[("vocals.wav", 1.0), ("vocals 2.wav", 1.0)]);
    let text = load(&folder).unwrap_err().to_string();
    assert!(text.ends_with("A Song has only vocals; a song needs at least two stems"), "{text}");

    let (_dir, folder) = song(&[("piano.wav", 1.0)]);
    assert!(matches!(load(&folder), Err(SongError::NoStems { .. })));

    let (_dir, folder) = song(&[("vocals.wav", 1.0), ("vocals.wave", 1.0), ("bass.wav", 1.0)]);
    assert!(matches!(load(&folder), Err(SongError::Twice { .. })));

    let (_dir, folder) = song(&[("vocals.wav", 1.0), ("bass.wav", 1.0)]);
    write_wav(&folder.dir.join("bass.wav"), 44_100, 1, 1.0, f32::NAN);
    let text = load(&folder).unwrap_err().to_string();
    assert!(text.contains("bass.wav: 100.00 % of the samples are NaN"), "{text}");

    std::fs::write(folder.dir.join("bass.wav"), "no sound").unwrap();
    assert!(matches!(load(&folder), Err(SongError::Sound(Error::Audio { .. }))));

    let cancel = CancelFlag::new();
    cancel.cancel();
    assert!(matches!(load_song(&folder, &cancel), Err(SongError::Sound(Error::Cancelled))));
}

#[test]
fn a_wrong_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(find_songs(dir.path()), Err(SongError::NoSongs { .. })));
    assert!(matches!(find_songs(&dir.path().join("missing")), Err(SongError::Io { .. })));
    let file = dir.path().join("vocals.wav");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(find_songs(&file), Err(SongError::NotAFolder { .. })));
    assert!(matches!(find_songs(dir.path()), Err(SongError::IsASong { .. })));
}

#[test]
fn metadata_is_read_where_it_exists() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read_metadata(dir.path()).unwrap(), None);
    let path = dir.path().join("song.json");
    std::fs::write(
        &path,
        r#"{"song": "S", "licence": "CC0-1.0", "voice": null, "seconds": 64.93, "seed": 1,
            "soundfonts": ["fluid-gm"], "active": {"drums": 1.0}}"#,
    )
    .unwrap();
    let meta = read_metadata(dir.path()).unwrap().unwrap();
    assert_eq!((meta.song.as_deref(), meta.licence.as_deref()), (Some("S"), Some("CC0-1.0")));
    assert_eq!((meta.voice, meta.seconds), (None, Some(64.93)));
    assert_eq!(meta.soundfonts, Some(vec!["fluid-gm".to_string()]));
    std::fs::write(&path, "[not json").unwrap();
    let sentence = read_metadata(dir.path()).unwrap_err().to_string();
    assert!(sentence.contains("song.json cannot be understood"), "{sentence}");
}
