//! The library of references: what is written is read, damage costs only one file, and several writers lose nothing.
#![allow(clippy::unwrap_used)]

use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::profile::files::{Fingerprint, songs_in};
use mixing_buddy_core::profile::{Archive, Library, SongId, SongProfile};
use mixing_buddy_core::{Analysis, CancelFlag, PerStem};
use std::path::Path;

fn id(number: usize) -> SongId {
    format!("{number:032x}").parse().unwrap()
}

fn analysis(level_db: f32) -> Analysis {
    let stem = StemReading { level_db, error_db: 1.0, presence: 1.0, summary: vec![0.5; 4] };
    Analysis {
        silent: false,
        reading: PerStem::from_fn(|_| stem.clone()),
        levels_lu: PerStem::all(Some(level_db + 1.0)),
    }
}

fn profile(number: usize) -> SongProfile {
    let analyses: Vec<Analysis> =
        (0..24).map(|window| analysis(-4.0 - (number % 3) as f32 - (window % 2) as f32)).collect();
    let balance = ReferenceBalance::of_windows(analyses.iter().map(|analysis| &analysis.reading));
    SongProfile::new(id(number), &format!("song {number}.wav"), "compact 1.0.0".into(), balance, &analyses)
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::at(dir.path().join("not/yet"));
    assert_eq!(library.list().unwrap(), Default::default(), "a library that does not exist is empty");
    library.put_song(&profile(1)).unwrap();
    library.put_song(&profile(2)).unwrap();
    library
        .change_group("My Pop Records", |group| {
            group.put(id(1), 1.0);
            group.put(id(2), 3.0);
            group.put(id(77), 1.0);
        })
        .unwrap();
    let listing = library.list().unwrap();
    assert_eq!(library.song(&id(1)).unwrap().unwrap(), profile(1));
    assert_eq!(listing.songs, [profile(1).song, profile(2).song]);
    let group = listing.group("my pop records").unwrap();
    assert_eq!(listing.members(group).len(), 2, "a song that the library does not have is left out");
    // Means -5.5 (weight 1) and -6.5 (weight 3).
    let target = listing.target(group).unwrap();
    assert_eq!((target.balance.level_db.vocals, target.songs, target.windows), (Some(-6.25), 2, 48));
    library.remove_song(&id(1)).unwrap();
    library.remove_song(&id(1)).unwrap();
    library.remove_group("MY POP RECORDS").unwrap();
    let listing = library.list().unwrap();
    assert_eq!((listing.songs.len(), listing.groups.len()), (1, 0));
}

#[test]
fn damage_costs_one_file_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::at(dir.path());
    library.put_song(&profile(1)).unwrap();
    let songs = library.folder().join("songs");
    let whole = serde_json::to_string(&profile(2)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(songs.join(name), text).unwrap();
    write("cut.json", &whole[..whole.len() / 2]);
    write("newer.json", &whole.replace("\"format\":1", "\"format\":2"));
    write("number.json", &whole.replacen("-7.0", "1e999", 1).replacen("-6.5", "1e999", 1));
    write("empty.json", "");
    write("text.txt", "not ours");
    let listing = library.list().unwrap();
    assert_eq!(listing.songs.len(), 1, "{:?}", listing.problems);
    assert_eq!(listing.problems.len(), 4);
    assert!(listing.problems.iter().any(|problem| problem.contains("newer version of MixingBuddy")));
    assert!(listing.problems.iter().any(|problem| problem.contains("cut.json")));
}

#[test]
fn two_programs_that_add_songs_at_once_lose_none() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let library = Library::at(dir.path());
            scope.spawn(move || {
                for song in 0..25 {
                    let number = writer * 25 + song;
                    library.put_song(&profile(number)).unwrap();
                    // All write the same song, too.
                    library.put_song(&profile(1000)).unwrap();
                    library.change_group("all", |group| group.put(id(number), 1.0)).unwrap();
                    assert_eq!(library.list().unwrap().problems, [""; 0]);
                }
            });
        }
    });
    let listing = Library::at(dir.path()).list().unwrap();
    assert_eq!(listing.songs.len(), 101);
    assert_eq!(listing.groups[0].members.len(), 100);
    let files = std::fs::read_dir(dir.path().join("references/songs")).unwrap().count();
    assert_eq!(files, 101, "no temporary file is left");
}

#[test]
fn an_archive_brings_a_group_to_another_library() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (Library::at(here.path()), Library::at(there.path()));
    for number in 1..=3 {
        here.put_song(&profile(number)).unwrap();
    }
    let group = here
        .change_group("two", |group| {
            group.put(id(1), 2.0);
            group.put(id(2), 1.0);
        })
        .unwrap();
    let archive = here.export(&[], &[group]).unwrap();
    assert_eq!(archive.songs.len(), 2);
    let text = serde_json::to_string(&archive).unwrap();
    let archive: Archive = serde_json::from_str(&text).unwrap();
    let imported = there.import(&archive).unwrap();
    assert_eq!((imported.songs, imported.known, imported.groups), (2, 0, 1));
    let again = there.import(&archive).unwrap();
    assert_eq!((again.songs, again.known, again.groups), (0, 2, 0));
    let (a, b) = (here.list().unwrap(), there.list().unwrap());
    assert_eq!(a.target(a.group("two").unwrap()), b.target(b.group("two").unwrap()));
    let newer = Archive { format: 99, ..archive };
    assert!(there.import(&newer).unwrap_err().to_string().contains("newer version"));
}

#[test]
fn folders_give_their_songs_and_each_file_has_an_identifier() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("album/cd 1")).unwrap();
    for name in ["b.wav", "a.FLAC", "notes.txt", "._a.flac", "album/cd 1/c.mp3"] {
        std::fs::write(at(name), name).unwrap();
    }
    let songs = songs_in(&[dir.path().to_path_buf(), at("notes.txt"), at("b.wav")]);
    let names: Vec<_> = songs.iter().map(|song| song.strip_prefix(dir.path()).unwrap()).collect();
    assert_eq!(names, ["a.FLAC", "album/cd 1/c.mp3", "b.wav", "notes.txt"].map(Path::new));
    let cancel = CancelFlag::new();
    // The first half of the SHA-256 of "b.wav" in ASCII is stable; only that it differs by content matters here.
    let of = |name: &str| Fingerprint::of(&at(name), &cancel).unwrap();
    assert_eq!(of("b.wav"), of("b.wav"));
    assert_ne!(of("b.wav"), of("a.FLAC"));
    std::fs::write(at("abc"), "abc").unwrap();
    assert_eq!(of("abc").as_str(), "ba7816bf8f01cfea414140de5dae2223", "SHA-256 of \"abc\" (FIPS 180-4)");
    assert!(Fingerprint::of(dir.path(), &cancel).is_err());
}
