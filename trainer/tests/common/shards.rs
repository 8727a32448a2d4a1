//! Tar files in WebDataset's layout, made from folders of songs, and what is compared of their maps.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A shard of song folders: every file of `ROOT/SONG` as `SONG.FILE`.
pub fn shard(root: &Path, songs: &[&str]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for song in songs {
        let mut files: Vec<_> =
            fs::read_dir(root.join(song)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let member = if name == "song.json" { "json" } else { name };
            tar.append_path_with_name(&file, format!("{song}.{member}")).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

/// The bytes of all files of a folder, by name.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}
