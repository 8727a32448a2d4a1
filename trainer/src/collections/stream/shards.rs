//! Songs out of tar files in WebDataset's layout, read from front to back.
//!
//! The files of a song stand next to each other and share their name up to its first dot: `song-1.vocals.flac`,
//! `song-1.drums.flac`, `song-1.json`. What follows the dot is the name that the file would have in the song's folder; `json` is its
//! `song.json`. Source: <https://github.com/webdataset/webdataset>, `tariterators.py`.

use super::coming::{ComingSong, OpenSong};
use super::place::Place;
use crate::collections::file_role::{FileRole, METADATA_FILE};
use crate::collections::songs::{SongTracks, file_name};
use crate::collections::stem_folder::SongFolder;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tar::Archive;
use tempfile::TempDir;

/// Songs that are unpacked and wait for their turn.
const WAITING: usize = 1;

/// The songs of shards, one after another; an error is a shard that could not be read to its end.
pub struct Shards {
    songs: Receiver<Result<ComingSong>>,
}

impl Iterator for Shards {
    type Item = Result<ComingSong>;

    fn next(&mut self) -> Option<Self::Item> {
        self.songs.recv().ok()
    }
}

/// The songs of shards. A thread reads ahead, and unpacks each song into a temporary folder.
///
/// The name of a song's map file is that of the shard and that of the song in it, so that parts of the shards can be prepared by
/// themselves. `calib_share` is as in [`crate::collections::songs::songs_of_index`], for songs whose `json` names no split.
///
/// # Errors
/// When two shards have the same name, or the thread cannot be started.
pub fn songs_of_shards(shards: Vec<Place>, calib_share: f64) -> Result<Shards> {
    let mut names = HashSet::new();
    let mut named = Vec::with_capacity(shards.len());
    for shard in shards {
        let stem = shard.stem()?;
        ensure!(
            names.insert(stem.to_lowercase()),
            "two shards have the name {stem}, so that their songs could not be told apart"
        );
        named.push((stem, shard));
    }
    let (send, songs) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("shards".into())
        .spawn(move || {
            for (stem, shard) in named {
                let mut reader = ShardReader { stem: &stem, calib_share, send: &send, taken: HashSet::new() };
                let end = reader.read(&shard);
                if let Err(error) = end
                    && send.send(Err(error.context(format!("{shard} cannot be read to its end")))).is_err()
                {
                    return;
                }
            }
        })
        .context("no thread can be started")?;
    Ok(Shards { songs })
}

/// Reads one shard.
struct ShardReader<'a> {
    stem: &'a str,
    calib_share: f64,
    send: &'a SyncSender<Result<ComingSong>>,
    /// The songs that were sent.
    taken: HashSet<String>,
}

/// A song that is being unpacked.
struct Unpacking {
    key: String,
    /// Its folder, from its first stem on.
    folder: Option<TempDir>,
}

impl ShardReader<'_> {
    fn read(&mut self, shard: &Place) -> Result<()> {
        let mut archive = Archive::new(shard.open()?);
        let mut song: Option<Unpacking> = None;
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_path_buf();
            let Some((key, member)) = entry.header().entry_type().is_file().then(|| key_of(&path)).flatten()
            else {
                continue;
            };
            if song.as_ref().is_none_or(|song| song.key != key)
                && let Some(done) = song.replace(Unpacking { key, folder: None })
            {
                self.finish(done)?;
            }
            let name = if member == "json" { METADATA_FILE } else { member.as_str() };
            if let Some(song) = &mut song
                && (name == METADATA_FILE || matches!(FileRole::by_name(Path::new(name)), FileRole::Stem(_)))
            {
                song.unpack(name, &mut entry)?;
            }
        }
        if let Some(done) = song {
            self.finish(done)?;
        }
        ensure!(!self.taken.is_empty(), "it holds no songs in WebDataset's layout, such as NAME.vocals.flac");
        Ok(())
    }

    /// Sends a song that has been unpacked.
    fn finish(&mut self, song: Unpacking) -> Result<()> {
        let Unpacking { key, folder: Some(folder) } = song else { return Ok(()) };
        ensure!(
            self.taken.insert(key.clone()),
            "the files of '{key}' do not stand next to each other, so that it would be two songs"
        );
        let file = file_name(&format!("{}/{key}", self.stem));
        let (name, calib_share) = (key, self.calib_share);
        let (song_name, song_file) = (name.clone(), file.clone());
        let open = move || {
            let stems = SongFolder::read(folder.path())?;
            let stems = SongFolder { name: song_name, ..stems };
            let tracks = SongTracks::of_folder(stems, song_file, calib_share)?;
            Ok(OpenSong { tracks, folder: Some(folder) })
        };
        if self.send.send(Ok(ComingSong::new(&name, &file, open))).is_err() {
            bail!("nobody waits for its songs any longer");
        }
        Ok(())
    }
}

impl Unpacking {
    fn unpack(&mut self, name: &str, from: &mut impl Read) -> Result<()> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("mixing-buddy-song-").tempdir()?,
        };
        let path = self.folder.insert(folder).path().join(name);
        let place = || format!("{} of '{}' cannot be unpacked", name, self.key);
        let mut file = File::create_new(path).with_context(place)?;
        std::io::copy(from, &mut file).with_context(place)?;
        Ok(())
    }
}

/// The song that a file belongs to, and its name there.
fn key_of(path: &Path) -> Option<(String, String)> {
    let path = path.to_str()?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let name_at = path.rfind(['/', '\\']).map_or(0, |at| at + 1);
    let (key, member) = path[name_at..].split_once('.')?;
    (!key.is_empty() && !member.is_empty())
        .then(|| (format!("{}{key}", &path[..name_at]), member.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dot_of_the_name_ends_the_key() {
        let key = |path: &str| key_of(Path::new(path));
        let pair = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
        assert_eq!(key("./a.b/song-1.vocals.2.flac"), pair("a.b/song-1", "vocals.2.flac"));
        assert_eq!(key("song.json"), pair("song", "json"));
        for path in ["README", "a/.hidden", "a/._song.flac", "..", "a/..", "song."] {
            assert_eq!(key(path), None, "{path}");
        }
    }
}
