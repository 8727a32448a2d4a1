//! placeholder
use anyhow::Result;
fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "prepare" => {
            let o = mixing_buddy_trainer::data::prepare::PrepareOptions {
                features: Default::default(), variants: 3, windows: 12, threads: 2, seed: 1 };
            let (n, f) = mixing_buddy_trainer::data::prepare::prepare(args[2].as_ref(), args[3].as_ref(), &o)?;
            eprintln!("{n} prepared"); for f in f { eprintln!("{f}"); }
        }
        "encoder" => mixing_buddy_trainer::train::encoder::train_encoder(&std::fs::read_to_string(&args[2])?, args[3].as_ref(), args[4].as_ref(), true)?,
        _ => {}
    }
    Ok(())
}
