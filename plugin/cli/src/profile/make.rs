//! `profile make`: measures songs and puts them into the library.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::output::{note, print_line};
use mixing_buddy_core::profile::files::{Fingerprint, songs_in};
use mixing_buddy_core::profile::{Library, SongProfile};
use mixing_buddy_core::song::analyze_file;
use mixing_buddy_core::{Analysis, CancelFlag, Engine};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `profile make`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy profile make song.flac\n  \
    mixing-buddy profile make ~/Music/Favourites --group \"my pop records\"\n  \
    mixing-buddy profile make hit.mp3 --group \"my pop records\" --weight 3")]
pub struct MakeArgs {
    /// Songs, and folders of songs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Puts the songs into this group, which is made if it does not exist
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// How much these songs count in the group
    #[arg(long, default_value_t = 1.0, requires = "group")]
    weight: f32,
    /// Measures songs again that the same model has measured already
    #[arg(long)]
    again: bool,
    /// A model file; the built-in model if none is given
    #[arg(long)]
    bundle: Option<PathBuf>,
}

/// Measures the songs. Each is written as soon as it is measured, so that nothing is lost when the command is stopped.
///
/// # Errors
/// When an option is invalid, the model cannot be loaded, the library cannot be written, or a song cannot be measured; the
/// other songs are still measured.
pub(super) fn run(library: &Library, args: &MakeArgs, json: bool) -> Result<()> {
    ensure!((0.01..=100.0).contains(&args.weight), "--weight must be between 0.01 and 100");
    ensure!(args.group.as_ref().is_none_or(|name| !name.trim().is_empty()), "--group must have a name");
    let songs = songs_in(&args.files);
    ensure!(!songs.is_empty(), "there is no song in {}", args.files[0].display());
    let cancel = CancelFlag::new();
    let engine = Engine::open(args.bundle.as_deref(), &cancel)?;
    let model = format!("{} {}", engine.info().name, engine.info().version);
    let mut failures = Vec::new();
    for (index, path) in songs.iter().enumerate() {
        note(&format!("{} of {}: {}", index + 1, songs.len(), path.display()));
        let made = make(library, &engine, &model, path, args, &cancel);
        let (profile, is_new) = match made {
            Ok(made) => made,
            Err(error) => {
                failures.push(format!("{error:#}"));
                continue;
            }
        };
        if json {
            let song = &profile.song;
            let line = json!({
                "file": path.display().to_string(),
                "id": song.id.as_str(),
                "name": song.name,
                "is_new": is_new,
                "windows": song.balance.windows,
                "level_db": song.balance.level_db,
                "spread_db": song.balance.spread_db,
                "levels_lu": song.levels_lu,
            });
            print_line(&line.to_string())?;
        } else {
            let state = if is_new { "measured" } else { "is in the library already" };
            print_line(&format!("{}: {state}, {} windows", profile.song.name, profile.song.balance.windows))?;
        }
        if let Some(name) = &args.group {
            library.change_group(name, |group| group.put(profile.song.id.clone(), args.weight))?;
        }
    }
    match failures.as_slice() {
        [] => Ok(()),
        [only] => bail!("{only}"),
        several => bail!("{} songs could not be measured:\n  {}", several.len(), several.join("\n  ")),
    }
}

/// The profile of a file, and whether it was measured now.
fn make(
    library: &Library,
    engine: &Engine,
    model: &str,
    path: &Path,
    args: &MakeArgs,
    cancel: &CancelFlag,
) -> Result<(SongProfile, bool)> {
    let id = Fingerprint::of(path, cancel)?;
    let known = if args.again { None } else { library.song(&id).ok().flatten() };
    if let Some(known) = known.filter(|known| known.song.model == model) {
        return Ok((known, false));
    }
    let song = analyze_file(engine, path, FeatureSettings::WINDOW_S, cancel)?;
    song.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
    let analyses: Vec<Analysis> = song.windows.into_iter().map(|window| window.analysis).collect();
    let balance = engine
        .reference_of(&analyses)
        .with_context(|| format!("{}: no stem was found in it", path.display()))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let profile = SongProfile::new(id, &name, model.to_string(), balance, &analyses);
    library.put_song(&profile)?;
    Ok((profile, true))
}
