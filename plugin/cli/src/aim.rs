//! What a mix is held against, as options of the commands that judge.

use crate::profile;
use anyhow::{Result, ensure};
use clap::Args;
use mixing_buddy_core::output::note;
use mixing_buddy_core::song::{Measured, measure_reference};
use mixing_buddy_core::{CancelFlag, Engine, Stem};
use std::path::PathBuf;

/// Reference and anchor.
#[derive(Args)]
pub struct AimArgs {
    /// A track whose balance the mix should have
    #[arg(long)]
    reference: Option<PathBuf>,
    /// A song or a group of the library whose balance the mix should have, with `=WEIGHT` if there are several
    #[arg(long, value_name = "NAME", conflicts_with = "reference")]
    profile: Vec<String>,
    /// A stem whose level is right: vocals, drums or bass
    #[arg(long)]
    anchor: Option<Stem>,
}

impl AimArgs {
    /// The anchor.
    ///
    /// # Errors
    /// When it is a stem that is not judged.
    pub fn anchor(&self) -> Result<Option<Stem>> {
        ensure!(
            self.anchor.is_none_or(Stem::is_target),
            "--anchor must be vocals, drums or bass: 'other' is not judged"
        );
        Ok(self.anchor)
    }

    /// The reference: a file, or songs and groups of the library; none if neither is named.
    ///
    /// # Errors
    /// When the file cannot be read or no stem is found in it, and when the library has no such name.
    pub fn reference(&self, engine: &Engine, cancel: &CancelFlag) -> Result<Option<Measured>> {
        match (&self.reference, self.profile.as_slice()) {
            (Some(path), _) => {
                let measured = measure_reference(engine, path, cancel, |_| Ok(()))?;
                measured.warnings.iter().for_each(|warning| note(&format!("Warning: {warning}")));
                Ok(Some(measured))
            }
            (None, []) => Ok(None),
            (None, names) => {
                let target = profile::target(names, None)?;
                let name = names.join(", ");
                Ok(Some(Measured {
                    name,
                    balance: target.balance,
                    levels_lu: target.levels_lu,
                    warnings: Vec::new(),
                }))
            }
        }
    }
}
