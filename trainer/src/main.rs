//! The trainer's commands.

use anyhow::{Context, Result, bail};
use mixing_buddy_trainer::data::prepare::{PrepareOptions, prepare};
use mixing_buddy_trainer::train::{decoder::train_decoder, encoder::train_encoder};
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let text = |path: &str| std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"));
    match args.as_slice() {
        ["prepare", songs, cache] => {
            let options =
                PrepareOptions { features: Default::default(), variants: 3, windows: 12, threads: 2, seed: 1 };
            let (count, failures) = prepare(Path::new(songs), Path::new(cache), &options)?;
            eprintln!("{count} songs are prepared");
            failures.iter().for_each(|failure| eprintln!("{failure}"));
            Ok(())
        }
        ["encoder", config, cache, out] => train_encoder(&text(config)?, Path::new(cache), Path::new(out), true),
        ["decoder", config, tokenizer, out] => {
            train_decoder(&text(config)?, Path::new(tokenizer), Path::new(out), true)
        }
        _ => bail!("usage: prepare SONGS CACHE | encoder CONFIG CACHE OUT | decoder CONFIG TOKENIZER OUT"),
    }
}
