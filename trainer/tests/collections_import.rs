//! Importing collections: each layout as its makers ship it, and each fault with its sentence.

#![allow(clippy::unwrap_used)]

#[path = "common/sounds.rs"]
mod sounds;

use mixing_buddy_core::Stem;
use mixing_buddy_trainer::collections::{ImportOptions, Index, Layout, SongReader, import};
use mixing_buddy_trainer::protocol::Split;
use sounds::{RATE_HZ, has_ffmpeg, mixture, musdb_song, stem_mp4, stem_samples, write_wav};
use std::path::Path;

fn run(dir: &Path, layout: Layout) -> Index {
    import(dir, &ImportOptions { layout, ..ImportOptions::default() }).unwrap()
}

fn refusal<'a>(index: &'a Index, song: &str) -> &'a str {
    &index.refused.iter().find(|refused| refused.song == song).unwrap().reason
}

fn names(index: &Index) -> Vec<&str> {
    index.songs.iter().map(|song| song.name.as_str()).collect()
}

#[test]
fn musdb_is_measured_with_its_official_splits() {
    let dir = tempfile::tempdir().unwrap();
    musdb_song(&dir.path().join("train/A Band - First"), 1, 21.0);
    musdb_song(&dir.path().join("train/Leaf - Summerghost"), 2, 10.0);
    musdb_song(&dir.path().join("test/B Band - Second"), 3, 10.5);
    write_wav(&dir.path().join("train/A Band - First/guitar.wav"), &mixture(9, 1.0, RATE_HZ), RATE_HZ);
    let index = run(dir.path(), Layout::Musdb);
    assert_eq!(names(&index), ["A Band - First", "B Band - Second", "Leaf - Summerghost"]);
    let splits: Vec<_> = index.songs.iter().map(|song| song.split.clone().unwrap()).collect();
    assert_eq!(splits, [Split::Train, Split::Test, Split::Valid]);
    assert!(index.refused.is_empty());

    let first = &index.songs[0];
    assert_eq!((first.rate_hz, index.chunks(first).len(), first.duration_s), (RATE_HZ, 2, 21.0));
    assert!(first.checks.warnings[0].contains("guitar.wav is not used"), "{:?}", first.checks.warnings);
    assert!(first.checks.sum_residual_db.unwrap() < -80.0, "{:?}", first.checks);
    assert_eq!(first.checks.mixture_gain_db, Some(0.0));

    // Levels against sums computed here, in double precision.
    let chunk = &index.chunks(first)[1];
    let ten = (10 * RATE_HZ) as usize;
    let level = |frames: &[[f32; 2]]| {
        let power: f64 = frames.iter().flatten().map(|x| f64::from(*x).powi(2)).sum();
        10.0 * (power / (2 * frames.len()) as f64).log10()
    };
    for stem in Stem::ALL {
        let truth = level(&stem_samples(stem, 1, 21.0, RATE_HZ)[ten..2 * ten]);
        let found = f64::from(chunk.level_dbfs[stem.index()]);
        assert!((found - truth).abs() < 1e-3, "{stem}: {found} instead of {truth}");
        assert!(chunk.active_share[stem.index()] > 0.99);
    }
    assert!((f64::from(chunk.mix_dbfs) - level(&mixture(1, 21.0, RATE_HZ)[ten..2 * ten])).abs() < 1e-3);

    // A gain's effect on the mix, from the kept figures and from audio.
    let mut reader = SongReader::open(&index.root, &first.files).unwrap();
    reader.next_chunk().unwrap().unwrap();
    let audio = reader.next_chunk().unwrap().unwrap().mix(Stem::Bass, 7.3);
    let frames: Vec<[f32; 2]> = audio.left.iter().zip(&audio.right).map(|(l, r)| [*l, *r]).collect();
    assert!((chunk.flawed_mix_dbfs(Stem::Bass, 7.3) - level(&frames)).abs() < 2e-3);
}

#[test]
fn a_saved_index_is_read_back_and_notices_changed_files() {
    let dir = tempfile::tempdir().unwrap();
    musdb_song(&dir.path().join("train/One"), 1, 10.0);
    let index = run(dir.path(), Layout::Musdb);
    let path = dir.path().join("songs.index");
    index.save(&path).unwrap();
    let back = Index::load(&path).unwrap();
    assert_eq!((back.layout, &back.root, &back.refused), (index.layout, &index.root, &index.refused));
    assert_eq!(back.songs, index.songs);
    assert_eq!(back.chunks(&back.songs[0]), index.chunks(&index.songs[0]));
    back.check_files().unwrap();

    let bass = dir.path().join("train/One/bass.wav");
    write_wav(&bass, &stem_samples(Stem::Bass, 5, 9.9, RATE_HZ), RATE_HZ);
    let sentence = format!("{:#}", back.check_files().unwrap_err());
    assert!(sentence.contains("bass.wav was changed after the index was written"), "{sentence}");
    std::fs::remove_file(&bass).unwrap();
    let sentence = format!("{:#}", back.check_files().unwrap_err());
    assert!(sentence.contains("'One'") && sentence.contains("bass.wav"), "{sentence}");

    let whole = std::fs::read(&path).unwrap();
    let mut later = whole.clone();
    later[7] += 1;
    let older = br#"{"format": 1, "layout": "musdb", "root": "/", "songs": [], "refused": []}"#;
    let mut unknown = whole.clone();
    let at = whole.windows(6).position(|word| word == b"chunks").unwrap();
    unknown[at..at + 6].copy_from_slice(b"chunkz");
    for (bytes, words) in [
        (&later[..], "is not an index of this version"),
        (&older[..], "has the format of an older version: import the songs again"),
        (b"[]", "is not an index of this version"),
        (&whole[..whole.len() - 1], "is cut off"),
        (&unknown, "its header cannot be read"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let sentence = format!("{:#}", Index::load(&path).unwrap_err());
        assert!(sentence.contains(words) && sentence.contains("songs.index"), "{sentence}");
    }
}

#[test]
fn each_bad_song_is_refused_by_name_and_the_others_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let song = |name: &str| dir.path().join("train").join(name);
    let names_made = ["corrupt", "cut", "good", "late", "lengths", "missing", "nan", "silent", "sum", "twin"];
    for (seed, name) in names_made.into_iter().enumerate() {
        musdb_song(&song(name), seed as u64 + 1, 10.0);
    }
    musdb_song(&dir.path().join("test/Twin"), 30, 10.0);
    std::fs::write(song("corrupt").join("drums.wav"), b"RIFF\x10\0\0\0WAVEnothing that makes sense").unwrap();
    let bytes = std::fs::read(song("cut").join("vocals.wav")).unwrap();
    std::fs::write(song("cut").join("vocals.wav"), &bytes[..bytes.len() / 2]).unwrap();
    let mut late = vec![[0.0; 2]; 400];
    late.extend(stem_samples(Stem::Drums, 4, 10.0, RATE_HZ));
    late.truncate(10 * RATE_HZ as usize);
    write_wav(&song("late").join("drums.wav"), &late, RATE_HZ);
    write_wav(&song("lengths").join("bass.wav"), &stem_samples(Stem::Bass, 5, 7.0, RATE_HZ), RATE_HZ);
    std::fs::remove_file(song("missing").join("other.wav")).unwrap();
    let mut bad = stem_samples(Stem::Vocals, 7, 10.0, RATE_HZ);
    bad[500][1] = f32::NAN;
    write_wav(&song("nan").join("vocals.wav"), &bad, RATE_HZ);
    let nothing = vec![[0.0; 2]; 10 * RATE_HZ as usize];
    for stem in ["vocals", "drums", "other"] {
        write_wav(&song("silent").join(format!("{stem}.wav")), &nothing, RATE_HZ);
    }
    write_wav(&song("sum").join("mixture.wav"), &mixture(77, 10.0, RATE_HZ), RATE_HZ);

    let index = run(dir.path(), Layout::Musdb);
    assert_eq!(names(&index), ["Twin", "good"]);
    for (song, words) in [
        ("corrupt", vec!["drums.wav"]),
        ("cut", vec!["vocals.wav", "cut off"]),
        ("late", vec!["drums is not aligned", "50 ms after"]),
        ("lengths", vec!["bass.wav lasts 7.0 s", "10.0 s"]),
        ("missing", vec!["other.wav is missing"]),
        ("nan", vec!["vocals.wav", "NaN"]),
        ("silent", vec!["only one of its stems is not silent"]),
        ("sum", vec!["do not sum to", "mixture.wav"]),
        ("twin", vec!["Twin is named the same"]),
    ] {
        let reason = refusal(&index, song);
        assert!(words.iter().all(|word| reason.contains(word)), "{song}: {reason}");
    }
}

#[test]
fn a_stem_at_another_rate_or_a_little_short_is_corrected_and_noted() {
    let dir = tempfile::tempdir().unwrap();
    let song = dir.path().join("train/Mixed");
    musdb_song(&song, 1, 10.0);
    // A tone, which the change of rates leaves as it is.
    write_wav(&song.join("bass.wav"), &stem_samples(Stem::Bass, 1, 10.0, 16_000), 16_000);
    write_wav(&song.join("other.wav"), &stem_samples(Stem::Other, 1, 9.8, RATE_HZ), RATE_HZ);
    let index = run(dir.path(), Layout::Musdb);
    let warnings = index.songs[0].checks.warnings.join("\n");
    // The song is read at the highest rate.
    assert_eq!(index.songs[0].rate_hz, 16_000);
    assert!(warnings.contains("drums.wav is at 8000 Hz") && !warnings.contains("bass.wav"), "{warnings}");
    assert!(warnings.contains("other.wav ends 200 ms early"), "{warnings}");
    assert_eq!(index.chunks(&index.songs[0]).len(), 1);
}

#[test]
fn musdb_stem_files_give_their_five_streams() {
    if !has_ffmpeg() {
        return;
    }
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stem_mp4(&dir.path().join("train/Whole.stem.mp4"), work.path(), 1, 5);
    stem_mp4(&dir.path().join("test/Four.stem.mp4"), work.path(), 2, 4);
    let whole = std::fs::read(dir.path().join("train/Whole.stem.mp4")).unwrap();
    std::fs::write(dir.path().join("train/Cut.stem.mp4"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(dir.path().join("train/notes.txt"), "hello").unwrap();
    let index = run(dir.path(), Layout::MusdbStem);
    assert_eq!(names(&index), ["Whole"]);
    let song = &index.songs[0];
    assert_eq!((song.rate_hz, index.chunks(song).len(), song.split.clone()), (44_100, 1, Some(Split::Train)));
    // Lossy, but aligned: what differs is the codec's noise.
    assert!(song.checks.sum_residual_db.unwrap() < -15.0, "{:?}", song.checks);
    for stem in Stem::ALL {
        let frames = &stem_samples(stem, 1, 12.0, 44_100)[..441_000];
        let power: f64 = frames.iter().flatten().map(|x| f64::from(*x).powi(2)).sum();
        let truth = 10.0 * (power / (2 * frames.len()) as f64).log10();
        let found = f64::from(index.chunks(song)[0].level_dbfs[stem.index()]);
        assert!((found - truth).abs() < 0.5, "{stem}: {found} instead of {truth}");
    }
    assert!(refusal(&index, "Four").contains("has 4 sound tracks"), "{}", refusal(&index, "Four"));
    assert!(refusal(&index, "Cut").contains("cut off"), "{}", refusal(&index, "Cut"));
    assert!(refusal(&index, "notes.txt").contains(".stem.mp4"));
}

/// The codec's delay is removed from every stream: samples are where the uncompressed file has them.
#[test]
fn streams_of_a_stem_file_are_aligned_with_the_originals() {
    if !has_ffmpeg() {
        return;
    }
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stem_mp4(&dir.path().join("train/Whole.stem.mp4"), work.path(), 1, 5);
    let index = run(dir.path(), Layout::MusdbStem);
    let chunk = SongReader::open(&index.root, &index.songs[0].files).unwrap().next_chunk().unwrap().unwrap();
    let drums = chunk.stems.drums.unwrap();
    let truth = stem_samples(Stem::Drums, 1, 12.0, 44_100);
    let match_at = |lag: usize| -> f64 {
        (44_100..88_200).map(|n| f64::from(drums.left[n + lag]) * f64::from(truth[n][0])).sum()
    };
    let best = (0..4000).max_by(|a, b| match_at(*a).total_cmp(&match_at(*b))).unwrap();
    assert_eq!(best, 0);
}

#[test]
fn medleydb_classes_follow_the_instruments() {
    let dir = tempfile::tempdir().unwrap();
    let song = dir.path().join("Audio/A_Song");
    let files = [
        ("female singer", Stem::Vocals),
        ("drum set", Stem::Drums),
        ("electric bass", Stem::Bass),
        ("clean electric guitar", Stem::Other),
    ];
    let mut yaml = "album: x\nartist: y\nhas_bleed: 'yes'\nmix_filename: A_Song_MIX.wav\nstem_dir: A_Song_STEMS\nstems:\n".to_string();
    for (number, (instrument, stem)) in files.iter().enumerate() {
        let name = format!("A_Song_STEM_{:02}.wav", number + 1);
        write_wav(&song.join("A_Song_STEMS").join(&name), &stem_samples(*stem, 1, 10.0, RATE_HZ), RATE_HZ);
        yaml.push_str(&format!("  S{:02}:\n    component: ''\n    filename: {name}\n    instrument: {instrument}\n    raw:\n      R01:\n        filename: r.wav\n", number + 1));
    }
    write_wav(&song.join("A_Song_MIX.wav"), &mixture(1, 10.0, RATE_HZ), RATE_HZ);
    std::fs::write(song.join("A_Song_METADATA.yaml"), &yaml).unwrap();
    // One with its metadata in a folder of its own, which names a stem that is missing.
    std::fs::create_dir_all(dir.path().join("Metadata")).unwrap();
    std::fs::create_dir_all(dir.path().join("Audio/B_Song/B_Song_STEMS")).unwrap();
    std::fs::write(dir.path().join("Metadata/B_Song_METADATA.yaml"), yaml.replace("A_Song", "B_Song"))
        .unwrap();
    std::fs::create_dir_all(dir.path().join("Audio/C_Song")).unwrap();
    std::fs::write(dir.path().join("Audio/C_Song/C_Song_METADATA.yaml"), "stems: [unclosed").unwrap();

    let index = run(dir.path(), Layout::Medleydb);
    assert_eq!(names(&index), ["A_Song"]);
    let found = &index.songs[0];
    for (number, (_, stem)) in files.iter().enumerate() {
        let path = found.files.stems[*stem][0].path.to_string_lossy().into_owned();
        assert!(path.ends_with(&format!("STEM_{:02}.wav", number + 1)), "{stem}: {path}");
    }
    assert!(found.checks.warnings.iter().any(|warning| warning.contains("bleed")));
    assert!(found.checks.sum_residual_db.unwrap() < -80.0);
    assert!(refusal(&index, "B_Song").contains("STEM_01.wav"), "{}", refusal(&index, "B_Song"));
    assert!(refusal(&index, "C_Song").contains("C_Song_METADATA.yaml"), "{}", refusal(&index, "C_Song"));
}

#[test]
fn slakh_keeps_rendered_stems_by_class() {
    let dir = tempfile::tempdir().unwrap();
    let track = dir.path().join("validation/Track01501");
    let stems = [
        ("S00", "Guitar", false, Some(Stem::Other)),
        ("S01", "Bass", false, Some(Stem::Bass)),
        ("S02", "Drums", true, Some(Stem::Drums)),
        ("S03", "Strings", false, None),
        ("S04", "Piano", false, Some(Stem::Vocals)),
    ];
    let mut yaml = "UUID: 1a\naudio_dir: stems\nnormalized: true\noverall_gain: 0.18\nstems:\n".to_string();
    for (key, class, is_drum, sound) in stems {
        yaml.push_str(&format!("  {key}:\n    audio_rendered: {}\n    inst_class: {class}\n    is_drum: {is_drum}\n    program_num: 30\n", sound.is_some()));
        if let Some(stem) = sound {
            write_wav(
                &track.join(format!("stems/{key}.wav")),
                &stem_samples(stem, 1, 10.0, RATE_HZ),
                RATE_HZ,
            );
        }
    }
    // The finished mix is 6 dB louder: noted, not refused.
    let loud: Vec<[f32; 2]> = mixture(1, 10.0, RATE_HZ).iter().map(|[l, r]| [2.0 * l, 2.0 * r]).collect();
    write_wav(&track.join("mix.wav"), &loud, RATE_HZ);
    std::fs::write(track.join("metadata.yaml"), yaml).unwrap();
    std::fs::create_dir_all(dir.path().join("omitted/Track09999")).unwrap();
    let index = run(dir.path(), Layout::Slakh);
    let song = &index.songs[0];
    assert_eq!((song.name.as_str(), song.split.clone()), ("Track01501", Some(Split::Valid)));
    let count = |stem: Stem| song.files.stems[stem].len();
    assert_eq!(Stem::ALL.map(count), [0, 1, 1, 2]);
    assert_eq!(song.level_dbfs.vocals, None);
    assert_eq!(song.checks.mixture_gain_db, Some(6.02));
    assert!(song.checks.warnings.iter().any(|warning| warning.contains("6.0 dB louder")));
}

#[test]
fn a_mapping_sorts_any_folder() {
    let dir = tempfile::tempdir().unwrap();
    let song = dir.path().join("My Song");
    for (path, stem) in [
        ("Lead VOX.wav", Stem::Vocals),
        ("drums/kick in.wav", Stem::Drums),
        ("drums/OH left.wav", Stem::Other),
        ("Sub.wav", Stem::Bass),
    ] {
        write_wav(&song.join(path), &stem_samples(stem, 1, 10.0, RATE_HZ), RATE_HZ);
    }
    write_wav(&song.join("click.wav"), &mixture(8, 10.0, RATE_HZ), RATE_HZ);
    write_wav(&song.join("whatever.wav"), &mixture(8, 10.0, RATE_HZ), RATE_HZ);
    std::fs::create_dir_all(dir.path().join("No Stems")).unwrap();
    let twice = dir.path().join("Twice");
    write_wav(&twice.join("vox.wav"), &stem_samples(Stem::Vocals, 1, 10.0, RATE_HZ), RATE_HZ);
    std::fs::copy(twice.join("vox.wav"), twice.join("vox.wave")).unwrap();
    let map = dir.path().join("map.toml");
    std::fs::write(&map, "ignore = ['click*']\nvocals = ['*vox*']\ndrums = ['drums/*']\nbass = ['sub']\n[splits]\ntest = ['my *']\n").unwrap();
    let options =
        ImportOptions { layout: Layout::Folder, map: Some(map.clone()), ..ImportOptions::default() };
    let index = import(dir.path(), &options).unwrap();
    assert_eq!(names(&index), ["My Song"]);
    let found = &index.songs[0];
    assert_eq!(Stem::ALL.map(|stem| found.files.stems[stem].len()), [1, 2, 1, 0]);
    assert_eq!(found.split, Some(Split::Test));
    assert_eq!(found.checks.sum_residual_db, None);
    let warnings = found.checks.warnings.join("\n");
    assert!(warnings.contains("whatever.wav is not used") && !warnings.contains("click"), "{warnings}");
    assert!(refusal(&index, "No Stems").contains("none of its files"));
    assert!(refusal(&index, "Twice").contains("same vocals twice"), "{}", refusal(&index, "Twice"));

    for (text, word) in [
        ("vocls = ['a']", "vocls"),
        ("vocals = ['[']", "the pattern '['"),
        ("ignore = ['a']", "names no stems"),
        ("vocals = ['a']\n[splits]\nhold = ['b']", "hold is not a split"),
    ] {
        std::fs::write(&map, text).unwrap();
        let sentence = format!("{:#}", import(dir.path(), &options).unwrap_err());
        assert!(sentence.contains(word) && sentence.contains("map.toml"), "{sentence}");
    }
}

#[test]
fn files_named_after_the_classes_need_no_mapping() {
    let dir = tempfile::tempdir().unwrap();
    musdb_song(&dir.path().join("train/One"), 1, 10.0);
    let two = dir.path().join("Two");
    for name in ["drums_room", "bass", "bassoon", "Vocals 2"] {
        write_wav(&two.join(format!("{name}.wav")), &stem_samples(Stem::Drums, 3, 10.0, RATE_HZ), RATE_HZ);
    }
    let index = run(dir.path(), Layout::Folder);
    assert_eq!(names(&index), ["One", "Two"]);
    assert_eq!(index.songs[0].split, Some(Split::Train));
    assert!(index.songs[0].checks.sum_residual_db.unwrap() < -80.0);
    assert!(index.songs[1].checks.warnings.iter().any(|warning| warning.contains("bassoon.wav is not used")));
}

#[test]
fn an_empty_folder_or_one_of_another_layout_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |layout| {
        let options = ImportOptions { layout, ..ImportOptions::default() };
        format!("{:#}", import(dir.path(), &options).unwrap_err())
    };
    for layout in [Layout::Musdb, Layout::MusdbStem, Layout::Medleydb, Layout::Slakh, Layout::Folder] {
        assert!(fails(layout).contains("holds no songs in this layout"), "{}", fails(layout));
    }
    std::fs::create_dir_all(dir.path().join("train/Empty")).unwrap();
    let sentence = fails(Layout::Musdb);
    assert!(
        sentence.contains("none of the 1 songs") && sentence.contains("vocals.wav is missing"),
        "{sentence}"
    );
}
