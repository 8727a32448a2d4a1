//! Collections as they lie on people's disks: names, paths, links and levels that reports from the field describe.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, answer};
use mixing_buddy_core::Stem;
use mixing_buddy_trainer::collections::{ImportOptions, Index, Layout, SongReader, import};
use sounds::{RATE_HZ, mixture, musdb_song, stem_samples, write_wav};
use std::path::Path;

const SECONDS: f64 = 10.0;

fn run(dir: &Path, layout: Layout) -> Index {
    import(dir, &ImportOptions { layout, ..ImportOptions::default() }).unwrap()
}

fn names(index: &Index) -> Vec<&str> {
    index.songs.iter().map(|song| song.name.as_str()).collect()
}

fn refusal<'a>(index: &'a Index, song: &str) -> &'a str {
    &index.refused.iter().find(|refused| refused.song == song).unwrap().reason
}

/// Writes the four stems of a song as `stem(class)`, relative to `dir`, and the finished mix.
fn write_stems(dir: &Path, stem: impl Fn(Stem) -> String, mix: &str) {
    for class in Stem::ALL {
        write_wav(&dir.join(stem(class)), &stem_samples(class, 1, SECONDS, RATE_HZ), RATE_HZ);
    }
    write_wav(&dir.join(mix), &mixture(1, SECONDS, RATE_HZ), RATE_HZ);
}

fn medleydb_yaml(name: &str, instruments: [&str; 4]) -> String {
    let mut yaml = format!(
        "has_bleed: 'no'\nmix_filename: {name}_MIX.wav\nstem_dir: {name}_STEMS\ntitle: T\nversion: 1.2\nstems:\n"
    );
    for (number, instrument) in instruments.iter().enumerate() {
        let number = number + 1;
        yaml.push_str(&format!(
            "  S{number:02}:\n    filename: {name}_STEM_{number:02}.wav\n    instrument: {instrument}\n"
        ));
    }
    yaml
}

/// A song of MedleyDB with its metadata next to it.
fn medleydb_song(audio: &Path, name: &str, instruments: [&str; 4]) {
    let dir = audio.join(name);
    let stem = |class: Stem| format!("{name}_STEMS/{name}_STEM_{:02}.wav", class.index() + 1);
    write_stems(&dir, stem, &format!("{name}_MIX.wav"));
    std::fs::write(dir.join(format!("{name}_METADATA.yaml")), medleydb_yaml(name, instruments)).unwrap();
}

#[test]
fn names_of_instruments_that_tell_nothing_are_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    medleydb_song(dir.path(), "A_Plain", ["female singer", "drum set", "electric bass", "piano"]);
    medleydb_song(dir.path(), "B_Plural", ["vocalists", "high hat", "double bass", "Main System"]);
    medleydb_song(dir.path(), "C_Unknown", ["[vocalists, choir]", "Unlabeled", "woodwind section", "''"]);
    let index = run(dir.path(), Layout::Medleydb);
    assert_eq!(names(&index), ["A_Plain", "B_Plural", "C_Unknown"]);
    let counts = |song: usize| Stem::ALL.map(|stem| index.songs[song].files.stems[stem].len());
    assert_eq!([counts(0), counts(1), counts(2)], [[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 3]]);
    let warnings = |song: usize| index.songs[song].checks.warnings.join("\n");
    assert!(!warnings(0).contains("counts as"), "{}", warnings(0));
    assert!(
        warnings(1).contains("STEM_04.wav counts as other: its instrument is 'Main System'"),
        "{}",
        warnings(1)
    );
    for words in ["'Unlabeled'", "'woodwind section', is not in MedleyDB's taxonomy", "''"] {
        assert!(warnings(2).contains(words), "{}", warnings(2));
    }
    assert!(!warnings(2).contains("choir"), "{}", warnings(2));
}

#[test]
fn metadata_next_to_a_song_and_in_its_own_folder_is_one_song() {
    let dir = tempfile::tempdir().unwrap();
    let usual = ["female singer", "drum set", "electric bass", "piano"];
    for name in ["A_Same", "B_Differs", "C_Broken"] {
        medleydb_song(&dir.path().join("Audio"), name, usual);
    }
    let metadata = dir.path().join("Metadata");
    std::fs::create_dir_all(&metadata).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(metadata.join(format!("{name}_METADATA.yaml")), text).unwrap();
    };
    write("A_Same", &medleydb_yaml("A_Same", usual));
    write("B_Differs", &medleydb_yaml("B_Differs", ["piano", "drum set", "electric bass", "piano"]));
    write("C_Broken", "stems: [unclosed");
    let index = run(dir.path(), Layout::Medleydb);
    assert_eq!(names(&index), ["A_Same", "B_Differs", "C_Broken"]);
    assert_eq!(index.refused, []);
    let warnings = |song: usize| index.songs[song].checks.warnings.join("\n");
    assert_eq!(warnings(0), "");
    assert!(
        warnings(1).contains("Metadata/B_Differs_METADATA.yaml differs from Audio/B_Differs"),
        "{}",
        warnings(1)
    );
    assert!(warnings(2).contains("Metadata/C_Broken_METADATA.yaml cannot be used"), "{}", warnings(2));
}

#[test]
fn medleydb_paths_of_another_machine_fall_back_to_the_usual_places() {
    let dir = tempfile::tempdir().unwrap();
    let usual = ["female singer", "drum set", "electric bass", "piano"];
    let rewrite = |name: &str, from: &str, to: &str| {
        medleydb_song(dir.path(), name, usual);
        let path = dir.path().join(name).join(format!("{name}_METADATA.yaml"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    rewrite("A_Dir", "stem_dir: A_Dir_STEMS", "stem_dir: /home/rachel/A_Dir_STEMS");
    rewrite("B_File", "filename: B_File_STEM_01", "filename: B_File_STEMS\\B_File_STEM_01");
    rewrite("C_Mix", "mix_filename: C_Mix", "mix_filename: ../../mixes/C_Mix");
    rewrite("D_Gone", "filename: D_Gone_STEM_02", "filename: D_Gone_STEM_09");
    rewrite("E_Up", "filename: E_Up_STEM_02", "filename: ../../A_Dir/A_Dir_STEMS/A_Dir_STEM_02");
    let index = run(dir.path(), Layout::Medleydb);
    assert_eq!(names(&index), ["A_Dir", "B_File", "C_Mix"]);
    assert!(index.songs.iter().all(|song| song.files.mixture.is_some()));
    let warnings = index.songs[0].checks.warnings.join("\n");
    assert!(warnings.contains("A_Dir_METADATA.yaml names the folder /home/rachel/A_Dir_STEMS"), "{warnings}");
    for (song, words) in [
        ("D_Gone", "D_Gone_STEM_09.wav (S02 of D_Gone/D_Gone_METADATA.yaml) is missing"),
        ("E_Up", "is missing"),
    ] {
        assert!(refusal(&index, song).contains(words), "{}", refusal(&index, song));
    }
}

#[test]
fn slakh_paths_of_another_machine_fall_back_to_the_stems_folder() {
    let dir = tempfile::tempdir().unwrap();
    let track = |name: &str, audio_dir: &str| {
        let dir = dir.path().join("train").join(name);
        write_stems(&dir, |class| format!("stems/S{:02}.wav", class.index()), "mix.wav");
        let mut yaml = format!("UUID: '0'\naudio_dir: {audio_dir}\nstems:\n");
        for class in Stem::ALL {
            let (key, kind) = (class.index(), ["Guitar", "Drums", "Bass", "Piano"][class.index()]);
            let is_drum = class == Stem::Drums;
            yaml.push_str(&format!("  S{key:02}:\n    inst_class: {kind}\n    is_drum: {is_drum}\n"));
        }
        std::fs::write(dir.join("metadata.yaml"), yaml).unwrap();
        dir
    };
    track("Track00001", "stems");
    track("Track00616", "Volumes/data/x/Track00001/stems");
    track("Track00617", "/Volumes/data/x/Track00617/stems");
    track("Track00618", "'C:\\data\\stems'");
    let gone = track("Track00619", "elsewhere");
    std::fs::rename(gone.join("stems"), gone.join("sounds")).unwrap();
    let one = track("Track00620", "stems");
    std::fs::remove_file(one.join("stems/S02.wav")).unwrap();
    let index = run(dir.path(), Layout::Slakh);
    assert_eq!(names(&index), ["Track00001", "Track00616", "Track00617", "Track00618"]);
    assert_eq!(index.songs[0].checks.warnings, [""; 0]);
    for song in &index.songs[1..] {
        let warnings = song.checks.warnings.join("\n");
        assert!(
            warnings.contains("metadata.yaml names the folder") && warnings.contains("/stems"),
            "{warnings}"
        );
    }
    for (song, words) in [
        ("Track00619", vec!["elsewhere", "metadata.yaml", "is missing"]),
        ("Track00620", vec!["S02", "metadata.yaml"]),
    ] {
        let reason = refusal(&index, song);
        assert!(words.iter().all(|word| reason.contains(word)), "{song}: {reason}");
    }
}

#[test]
fn faint_stems_in_place_are_taken_and_absent_ones_are_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let song = |name: &str, faint: Stem, gain_db: f64, is_in_mix: bool| {
        let dir = dir.path().join("train").join(name);
        let mut sum = vec![[0.0f32; 2]; (SECONDS * f64::from(RATE_HZ)) as usize];
        for stem in Stem::ALL {
            let gain = if stem == faint { 10f64.powf(gain_db / 20.0) as f32 } else { 1.0 };
            let mut frames = stem_samples(stem, 1, SECONDS, RATE_HZ);
            frames.iter_mut().flatten().for_each(|sample| *sample *= gain);
            if stem != faint || is_in_mix {
                for (to, from) in sum.iter_mut().zip(&frames) {
                    to[0] += from[0];
                    to[1] += from[1];
                }
            }
            write_wav(&dir.join(format!("{stem}.wav")), &frames, RATE_HZ);
        }
        write_wav(&dir.join("mixture.wav"), &sum, RATE_HZ);
    };
    // The stems' own level is about -23 dBFS: down to a little above the limit of silence.
    for stem in [Stem::Vocals, Stem::Drums, Stem::Bass, Stem::Other] {
        for gain_db in [-10.0, -20.0, -35.0] {
            song(&format!("{stem} at {gain_db}"), stem, gain_db, true);
        }
    }
    song("faint but absent", Stem::Drums, -12.0, false);
    song("loud but absent", Stem::Drums, 0.0, false);
    let index = run(dir.path(), Layout::Musdb);
    assert_eq!(names(&index).len(), 12, "{:?}", index.refused);
    let (faint, loud) = (refusal(&index, "faint but absent"), refusal(&index, "loud but absent"));
    assert!(faint.contains("drums is not in") && faint.contains("at all"), "{faint}");
    assert!(loud.contains("do not sum to") && loud.contains("not in the mix at all: drums"), "{loud}");
}

#[test]
fn files_without_sound_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let song = |name: &str| {
        let dir = dir.path().join("train").join(name);
        musdb_song(&dir, 1, SECONDS);
        dir.join("vocals.wav")
    };
    song("good");
    std::fs::write(song("no bytes"), "").unwrap();
    write_wav(&song("no frames"), &[], RATE_HZ);
    let index = run(dir.path(), Layout::Musdb);
    assert_eq!(names(&index), ["good"]);
    for name in ["no bytes", "no frames"] {
        assert!(refusal(&index, name).contains("vocals.wav"), "{}", refusal(&index, name));
    }
}

#[test]
fn an_index_of_mixed_rates_is_read_at_the_rate_that_it_states() {
    let dir = tempfile::tempdir().unwrap();
    let song = dir.path().join("train/Mixed");
    musdb_song(&song, 1, SECONDS);
    let tone = stem_samples(Stem::Bass, 1, SECONDS, 2 * RATE_HZ);
    write_wav(&song.join("bass.wav"), &tone, 2 * RATE_HZ);
    let mut index = run(dir.path(), Layout::Musdb);
    assert_eq!(index.songs[0].rate_hz, 2 * RATE_HZ);
    // As an earlier version wrote it: at the rate of the finished mix.
    index.songs[0].rate_hz = RATE_HZ;
    let mut reader = SongReader::open_entry(&index.root, &index.songs[0]).unwrap();
    assert_eq!((reader.rate_hz(), reader.next_chunk().unwrap().unwrap().len()), (RATE_HZ, 80_000));
}

#[test]
#[cfg(unix)]
fn links_make_neither_a_song_nor_a_stem_twice() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    musdb_song(&dir.path().join("songs/One"), 1, SECONDS);
    let songs = dir.path().join("songs");
    symlink(songs.join("One"), songs.join("A link to one")).unwrap();
    symlink(&songs, songs.join("One/loop")).unwrap();
    symlink("drums.wav", songs.join("One/drums_2.wav")).unwrap();
    let index = run(&songs, Layout::Folder);
    assert_eq!((names(&index), index.refused.len()), (vec!["One"], 0), "{:?}", index.refused);
    assert_eq!(index.songs[0].files.stems.drums.len(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_not_text_costs_its_song_only() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let latin1 = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let songs = place.path("songs");
    musdb_song(&songs.join("plain"), 1, SECONDS);
    musdb_song(&songs.join(latin1), 2, SECONDS);
    let third = songs.join("third");
    musdb_song(&third, 3, SECONDS);
    std::fs::rename(third.join("bass.wav"), third.join(std::ffi::OsStr::from_bytes(b"bass \xe9.wav")))
        .unwrap();
    std::fs::create_dir(songs.join(std::ffi::OsStr::from_bytes(b"empty \xe9"))).unwrap();
    let index_file = place.path("songs.index");
    let index = run(&songs, Layout::Folder);
    index.save(&index_file).unwrap();
    let index = Index::load(&index_file).unwrap();
    assert_eq!(names(&index), ["plain"]);
    assert_eq!(index.refused.len(), 3);
    for name in ["caf\u{fffd}", "third"] {
        assert!(refusal(&index, name).contains("not valid UTF-8"), "{}", refusal(&index, name));
    }

    // The collection's own folder: refused before anything is measured, and a link to it is enough.
    let root = place.path("").join(latin1);
    std::fs::create_dir(&root).unwrap();
    musdb_song(&root.join("One"), 1, SECONDS);
    let arguments = |root: &Path| {
        ["data", "import", "--layout", "folder", "--out"]
            .map(std::ffi::OsString::from)
            .into_iter()
            .chain([place.path("root.index").into(), root.into()])
            .collect::<Vec<_>>()
    };
    let done = answer(&arguments(&root));
    let sentence = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && sentence.contains("not valid UTF-8"), "{sentence}");
    let link = place.path("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let done = answer(&arguments(&link));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(names(&Index::load(&place.path("root.index")).unwrap()), ["One"]);
}
