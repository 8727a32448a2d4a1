//! Songs out of tar shards, and preparation in parts.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/shards.rs"]
mod shards;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, run, trainer};
use flate2::Compression;
use flate2::write::GzEncoder;
use shards::{files, shard};
use sounds::musdb_song;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// Four songs in two folders, whose names are those of the shards that hold them; one says what it may be used for.
fn songs(place: &Place) {
    for (seed, song) in
        ["train-08/One", "train-08/Two", "train-09/One", "train-09/Three"].into_iter().enumerate()
    {
        musdb_song(&place.path("songs").join(song), seed as u64 + 1, 10.0);
    }
    place.write("songs/train-08/Two/song.json", r#"{"source": "tape", "split": "calib"}"#);
}

fn write_shards(place: &Place) {
    for (name, songs) in [("train-08", ["One", "Two"]), ("train-09", ["One", "Three"])] {
        let bytes = shard(&place.path("songs").join(name), &songs);
        fs::write(place.path(&format!("{name}.tar")), bytes).unwrap();
    }
}

/// `prepare` with few windows; its temporary folders are in `tmp`.
fn prepare(place: &Place, args: &[&str], out: &str) -> Result<(), String> {
    fs::create_dir_all(place.path("tmp")).unwrap();
    let mut command = trainer();
    command.env("TMPDIR", place.path("tmp")).args([
        "prepare",
        "--variants",
        "1",
        "--separated",
        "none",
        "--out",
    ]);
    let done = command.arg(place.path(out)).args(args).output().unwrap();
    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0, "a song stays on the disk");
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

#[test]
fn shards_give_the_maps_of_the_folder_in_parts_too() {
    let place = Place::new();
    songs(&place);
    write_shards(&place);
    prepare(&place, &["--songs", &place.text("songs"), "--calib-share", "0.5"], "folder").unwrap();
    let all = files(&place.path("folder"));
    assert_eq!(
        all.keys().map(String::as_str).collect::<Vec<_>>(),
        ["train-08--One.maps", "train-08--Two.maps", "train-09--One.maps", "train-09--Three.maps"]
    );

    let pattern = place.text("train-{08..09}.tar");
    prepare(&place, &["--shards", &pattern, "--calib-share", "0.5"], "shards").unwrap();
    assert!(files(&place.path("shards")) == all);
    // Parts of the shards, and of the songs of a folder; a part may be empty.
    for (of, source) in
        [(2, ["--shards", &pattern]), (3, ["--shards", &pattern]), (5, ["--songs", &place.text("songs")])]
    {
        let out = format!("parts-{of}");
        for number in 1..=of {
            let part = format!("{number}/{of}");
            prepare(&place, &[source[0], source[1], "--calib-share", "0.5", "--part", &part], &out).unwrap();
        }
        assert!(files(&place.path(&out)) == all, "{of} parts");
    }

    // Packed, and through a pipe, whose songs are named after it.
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&fs::read(place.path("train-08.tar")).unwrap()).unwrap();
    fs::create_dir(place.path("packed")).unwrap();
    fs::write(place.path("packed/train-08.tar.gz"), packed.finish().unwrap()).unwrap();
    let packed = place.text("packed/train-08.tar.gz");
    prepare(&place, &["--shards", &packed, &place.text("train-09.tar"), "--calib-share", "0.5"], "unpacked")
        .unwrap();
    assert!(files(&place.path("unpacked")) == all);
    let mut piped = trainer();
    piped.args(["prepare", "--separated", "none", "--shards", "-", "--out"]).arg(place.path("piped"));
    let mut piped = piped.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(&fs::read(place.path("train-08.tar")).unwrap()).unwrap();
    assert!(piped.wait().unwrap().success());
    assert_eq!(files(&place.path("piped")).len(), 2);
}

#[test]
fn a_broken_shard_is_told_and_costs_only_what_is_not_in_it() {
    let place = Place::new();
    songs(&place);
    write_shards(&place);
    let whole = fs::read(place.path("train-08.tar")).unwrap();
    let broken = place.text("broken.tar");
    let fails = |bytes: &[u8], words: &[&str]| {
        fs::write(&broken, bytes).unwrap();
        let sentence = prepare(&place, &["--shards", &broken], "broken").unwrap_err();
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
        sentence
    };
    fails(b"this is no tar file", &["broken.tar cannot be read to its end"]);
    fails(&[0; 10_240], &["broken.tar", "holds no songs in WebDataset's layout"]);
    let apart = [
        shard(&place.path("songs/train-08"), &["One", "Two"]),
        shard(&place.path("songs/train-08"), &["One"]),
    ];
    // Without the two empty blocks that end a tar file.
    let end = apart[0].len() - 1024;
    fails(&[&apart[0][..end], &apart[1]].concat(), &["'One' do not stand next to each other"]);
    fs::remove_dir_all(place.path("broken")).unwrap();

    // Cut off in the second song: the first one has its maps, and so have the songs of the other shard.
    fs::write(&broken, &whole[..whole.len() * 3 / 4]).unwrap();
    let both = ["--shards", &broken, &place.text("train-09.tar")];
    let sentence = prepare(&place, &both, "broken").unwrap_err();
    assert!(
        sentence.contains("1 shards could not be read to their end") && sentence.contains("broken.tar"),
        "{sentence}"
    );
    let kept = files(&place.path("broken"));
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        ["broken--One.maps", "train-09--One.maps", "train-09--Three.maps"]
    );
    // When it is whole again, the same command makes the rest.
    fs::write(&broken, &whole).unwrap();
    prepare(&place, &both, "broken").unwrap();
    let now = files(&place.path("broken"));
    assert!(now.len() == 4 && kept.iter().all(|(name, bytes)| now[name] == *bytes));

    let missing = prepare(&place, &["--shards", &place.text("none.tar")], "none").unwrap_err();
    assert!(missing.contains("none.tar cannot be read"), "{missing}");
    let twice = prepare(&place, &["--shards", &broken, "elsewhere/broken.tar.gz"], "none").unwrap_err();
    assert!(twice.contains("two shards have the name broken"), "{twice}");
    let part = run(&["prepare", "--shards", &broken, "--part", "3/2", "--out", "none"]).unwrap_err();
    assert!(part.contains("is not a part"), "{part}");
}

/// What a tar file names cannot be written anywhere but into the folders that are meant for it.
#[test]
fn names_in_a_shard_lead_nowhere() {
    let place = Place::new();
    songs(&place);
    let stem = fs::read(place.path("songs/train-08/One/vocals.wav")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["../../up.vocals.wav", "/root.drums.wav", "song.vocals.wav", "song.drums.wav", "song.json"] {
        let mut header = tar::Header::new_gnu();
        // The builder's own functions refuse such names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(stem.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, &stem[..]).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, "song.bass.wav", "/etc/passwd").unwrap();
    fs::write(place.path("tricks.tar"), tar.into_inner().unwrap()).unwrap();
    let before = files_below(&place);
    // The `json` of the song is sound: what the song may be used for is unknown, so it is not used.
    let result = prepare(&place, &["--shards", &place.text("tricks.tar")], "out");
    for name in files_below(&place).difference(&before) {
        assert!(name.starts_with("out"), "{name}");
    }
    assert!(!place.path("out/tricks--song.maps").exists());
    assert!(result.is_ok() || result.is_err_and(|sentence| sentence.contains("song.json")));
}

fn files_below(place: &Place) -> std::collections::BTreeSet<String> {
    let root = place.path("");
    let mut found = std::collections::BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    found
}

#[test]
#[cfg(not(feature = "stores"))]
fn an_address_needs_a_build_that_can_read_it() {
    let place = Place::new();
    for args in [["--songs", "s3://key:secret@bucket/songs"], ["--shards", "https://key:secret@host/a.tar"]] {
        let sentence = prepare(&place, &args, "out").unwrap_err();
        assert!(sentence.contains("--features stores") && !sentence.contains("secret"), "{sentence}");
    }
}
