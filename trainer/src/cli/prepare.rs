//! `prepare`: feature maps of songs, from a folder, an index, shards or an object store.

use super::data::IndexOptions;
use super::training::text;
use crate::collections::songs::{SongTracks, SongsBelow, songs_below, songs_of_index};
use crate::collections::stream::{ComingSong, Place, songs_of_shards, songs_of_store};
use crate::mixing::prepare::{PrepareOptions, Prepared, prepare};
use crate::part::Part;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mixing_buddy_core::Stem;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::output::note;
use std::path::PathBuf;

/// Options of `prepare`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer prepare --songs CORPUS --out CACHE --threads 2
  mixing-buddy-trainer data import MUSDB18-HQ --layout musdb --out musdb.index
  mixing-buddy-trainer prepare --index musdb.index --out CACHE
  mixing-buddy-trainer prepare --shards 'train-{000..146}.tar' --out CACHE --part 2/8
  curl https://example.org/train-000.tar | mixing-buddy-trainer prepare --shards - --out CACHE

The splits of an index are kept: `train` songs are for training, `test` songs for measuring, and `valid` songs for
calibration (`calib`). A share of the `train` songs, chosen by the name of the artist, is for calibration too, since
calibration and the advisor need songs that the encoder is not trained on. Songs without a split count as `train`.
The same holds for the songs of shards and stores.

Songs that do not fit on the disk come in shards: tar files in WebDataset's layout, in which the files of a song stand
next to each other (song-1.vocals.flac, song-1.drums.flac, song-1.json). A song is on the disk (in TMPDIR) only until it
is read. In builds with the feature `stores`, shards and the folder of songs may be addresses too: https://, s3://,
gs://, az://. Keys and endpoints are read from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT, ...).

On several machines, each prepares a part; the maps of all parts in one folder are those of one run.")]
pub struct PrepareArgs {
    /// Folder of songs, one folder per song with one file per stem, at any depth; or its address in an object store
    #[arg(long, conflicts_with_all = ["index", "shards", "root", "trust_index"])]
    songs: Option<PathBuf>,
    /// Index that `data import` wrote, in place of a folder; files of one stem are added
    #[arg(long, conflicts_with = "shards")]
    index: Option<PathBuf>,
    /// Tar files in WebDataset's layout, with numbers in braces; `-` is standard input
    #[arg(long, num_args = 1.., value_name = "TAR", conflicts_with_all = ["root", "trust_index"])]
    shards: Vec<String>,
    /// Prepares a part of the songs (of the shards, if there are any), such as 2/8
    #[arg(long, default_value_t = Part::WHOLE)]
    part: Part,
    /// Share of the `train` songs that are kept for calibration, 0 to 1; by default 0.1, and 0 for a folder on this disk
    #[arg(long)]
    calib_share: Option<f64>,
    #[command(flatten)]
    index_options: IndexOptions,
    /// Where the feature maps go
    #[arg(long)]
    out: PathBuf,
    /// Pitch-shifted variants of real songs and voices
    #[arg(long, default_value_t = 3)]
    variants: usize,
    /// Most windows kept per song and variant
    #[arg(long, default_value_t = 12)]
    windows: usize,
    /// Feature settings (TOML) in place of the standard ones
    #[arg(long)]
    features: Option<PathBuf>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seed of the variants
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stems whose share a separator estimates; `none` for a model without a separator
    #[arg(long, value_delimiter = ',', default_value = "vocals")]
    separated: Vec<String>,
    /// Folder of the separator's networks, STEM.safetensors; by default the project's own (vocals)
    #[arg(long)]
    networks: Option<PathBuf>,
}

/// Share of the `train` songs that are kept for calibration, where nobody has chosen which.
const CALIB_SHARE: f64 = 0.1;

/// The stems of `--separated`.
fn separated_stems(names: &[String]) -> Result<Vec<Stem>> {
    let named = names.iter().filter(|name| *name != "none");
    named
        .map(|name| {
            let stem = Stem::ALL.into_iter().find(|stem| stem.to_string() == *name);
            stem.with_context(|| format!("--separated: '{name}' is not a stem"))
        })
        .collect()
}

pub(super) fn run(args: &PrepareArgs) -> Result<()> {
    let mut features: FeatureSettings = match &args.features {
        Some(path) => toml::from_str(&text(path)?)
            .with_context(|| format!("{} does not hold feature settings", path.display()))?,
        None => FeatureSettings::default(),
    };
    features.separated = separated_stems(&args.separated)?;
    let options = PrepareOptions {
        features,
        variants: args.variants,
        windows: args.windows,
        threads: args.threads,
        seed: args.seed,
        networks: args.networks.clone(),
    };
    let part = args.part;
    let calib_share = args.calib_share.unwrap_or(CALIB_SHARE);
    ensure!((0.0..=1.0).contains(&calib_share), "--calib-share is a share, from 0 to 1");
    // What is no address is a folder, whatever it is called.
    let place = match &args.songs {
        Some(songs) => match Place::one(&songs.to_string_lossy())? {
            Place::Address(address) => Some(Place::Address(address)),
            _ => Some(Place::File(songs.clone())),
        },
        None => None,
    };
    let (prepared, refused) = match (place, &args.index) {
        (Some(Place::Address(address)), _) => {
            let songs = songs_of_store(&address, part, calib_share)?;
            (prepare(songs.into_iter().map(Ok), &args.out, &options)?, Vec::new())
        }
        (Some(Place::File(folder)), _) => {
            let SongsBelow { songs, refused } = songs_below(&folder, args.calib_share.unwrap_or(0.0))?;
            (prepare(on_disk(part.of(&songs)), &args.out, &options)?, refused)
        }
        (None, Some(path)) => {
            let songs = songs_of_index(&args.index_options.load(path)?, calib_share);
            (prepare(on_disk(part.of(&songs)), &args.out, &options)?, Vec::new())
        }
        (None, None) if !args.shards.is_empty() => {
            let shards = args.shards.iter().map(|pattern| Place::all(pattern)).collect::<Result<Vec<_>>>()?;
            let songs = songs_of_shards(part.of(&shards.concat()).to_vec(), calib_share)?;
            (prepare(songs, &args.out, &options)?, Vec::new())
        }
        _ => bail!("give a folder of songs (--songs), an index (--index) or shards (--shards)"),
    };
    report(prepared, refused, args)
}

/// Songs that are on this disk.
fn on_disk(songs: &[SongTracks]) -> impl Iterator<Item = Result<ComingSong>> + Send {
    songs.iter().map(|song| Ok(ComingSong::on_disk(song.clone())))
}

/// Says what came of it.
fn report(prepared: Prepared, refused: Vec<String>, args: &PrepareArgs) -> Result<()> {
    let Prepared { songs, refused: mut failures, unread } = prepared;
    failures.extend(refused);
    failures.iter().for_each(|failure| tracing::warn!("refused {failure}"));
    unread.iter().for_each(|failure| tracing::warn!("{failure}"));
    let first = || unread.iter().chain(&failures).next().map_or("", String::as_str);
    // A part may be empty.
    ensure!(
        songs > 0 || (failures.is_empty() && unread.is_empty() && args.part != Part::WHOLE),
        "none of the {} songs can be used; the first was refused because of: {}",
        failures.len(),
        first()
    );
    note(&format!("prepared {songs} songs in {}", args.out.display()));
    ensure!(
        unread.is_empty(),
        "{} shards could not be read to their end ({}). Give the same command again: songs that have maps are not \
         prepared twice",
        unread.len(),
        first()
    );
    Ok(())
}
