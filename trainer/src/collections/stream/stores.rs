//! Object stores and HTTP, in builds with the feature `stores`: a file as a stream of bytes, and a folder of songs.

use super::coming::{ComingSong, OpenSong};
use super::place::Place;
use crate::collections::file_role::{FileRole, METADATA_FILE};
use crate::collections::songs::{FileNames, SongTracks};
use crate::collections::stem_folder::SongFolder;
use crate::part::Part;
use anyhow::{Context, Result, ensure};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tokio::runtime::Runtime;
use url::Url;

/// Runs the requests of all threads.
static REQUESTS: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    // Fails only where a provider is installed already, which then serves.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("requests").enable_all().build()
});

fn requests() -> Result<&'static Runtime> {
    REQUESTS.as_ref().map_err(|error| anyhow::anyhow!("requests cannot be made: {error}"))
}

/// The store of an address, and the path in it. Keys, endpoints and the like are read from the environment, in the names that
/// each store's own tools use.
fn store_of(address: &Url) -> Result<(Arc<dyn ObjectStore>, StorePath)> {
    let place = || format!("{} cannot be used", Place::Address(address.clone()));
    // Before the first client is made: it needs the TLS that comes with them.
    requests()?;
    let mut options: Vec<(String, String)> = std::env::vars().collect();
    if address.scheme() == "http" {
        options.push(("allow_http".into(), "true".into()));
    }
    let (store, path) = object_store::parse_url_opts(address, options).with_context(place)?;
    Ok((Arc::from(store), path))
}

/// A file as it comes in. What breaks off is asked for again from where it broke.
pub struct Incoming {
    bytes: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    piece: bytes::Bytes,
}

/// Opens the file of an address.
///
/// # Errors
/// When the store is unknown, the file is missing or may not be read.
pub fn open(address: &Url) -> Result<Incoming> {
    let (store, path) = store_of(address)?;
    incoming(&*store, &path)
}

fn incoming(store: &dyn ObjectStore, path: &StorePath) -> Result<Incoming> {
    let got = requests()?.block_on(store.get(path))?;
    Ok(Incoming { bytes: got.into_stream(), piece: bytes::Bytes::new() })
}

impl Read for Incoming {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let requests = requests().map_err(std::io::Error::other)?;
        while self.piece.is_empty() {
            match requests.block_on(self.bytes.next()) {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(std::io::Error::other)?,
            }
        }
        let count = to.len().min(self.piece.len());
        to[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// A part of the songs of a folder in a store: one folder per song, at any depth, as on a disk. Their files are fetched when their turn
/// comes. `calib_share` is as in [`crate::collections::songs::songs_of_index`].
///
/// # Errors
/// When the store cannot list its files, or there is no song.
pub fn songs_of_store(address: &Url, part: Part, calib_share: f64) -> Result<Vec<ComingSong>> {
    let place = Place::Address(address.clone());
    let (store, root) = store_of(address)?;
    let listed =
        requests()?.block_on(store.list(Some(&root)).map_ok(|file| file.location).try_collect::<Vec<_>>());
    let listed = listed.with_context(|| format!("the files of {place} cannot be listed"))?;
    let mut folders: BTreeMap<String, Vec<StorePath>> = BTreeMap::new();
    for file in listed {
        let name = Path::new(file.filename().unwrap_or_default());
        if name == Path::new(METADATA_FILE) || matches!(FileRole::by_name(name), FileRole::Stem(_)) {
            let folder = file.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder.to_string()).or_default().push(file);
        }
    }
    // A folder with nothing but a `song.json` is none of a song.
    folders.retain(|_, files| files.len() > 1 || !files[0].as_ref().ends_with(METADATA_FILE));
    ensure!(!folders.is_empty(), "{place} holds no folder of stems");
    let mut names = FileNames::default();
    let songs: Vec<_> = folders
        .into_iter()
        .map(|(folder, files)| {
            let below = folder.strip_prefix(root.as_ref()).unwrap_or(&folder).trim_start_matches('/');
            let name = folder.rsplit('/').next().unwrap_or_default().to_string();
            let file = names.take_path(Path::new(if below.is_empty() { name.as_str() } else { below }));
            (name, file, files)
        })
        .collect();
    let mine = part.of(&songs).iter().cloned();
    Ok(mine
        .map(|(name, file, files)| {
            let (store, of_map) = (Arc::clone(&store), file.clone());
            let folder_name = name.clone();
            ComingSong::new(&name, &file, move || fetch(&*store, &files, folder_name, of_map, calib_share))
        })
        .collect())
}

/// Fetches the files of a song into a temporary folder.
fn fetch(
    store: &dyn ObjectStore,
    files: &[StorePath],
    name: String,
    file: String,
    calib_share: f64,
) -> Result<OpenSong> {
    let folder = tempfile::Builder::new().prefix("mixing-buddy-song-").tempdir()?;
    for path in files {
        let fetched = || format!("{path} cannot be fetched");
        let mut to = File::create_new(folder.path().join(path.filename().unwrap_or_default()))?;
        std::io::copy(&mut incoming(store, path).with_context(fetched)?, &mut to).with_context(fetched)?;
    }
    let stems = SongFolder { name, ..SongFolder::read(folder.path())? };
    Ok(OpenSong { tracks: SongTracks::of_folder(stems, file, calib_share)?, folder: Some(folder) })
}
