//! The separator's networks: one file per stem.

use anyhow::{Context, Result, anyhow};
use mixing_buddy_core::Stem;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::separator::Separator;
use std::path::Path;
use std::sync::Arc;

/// The networks that the project has.
static SHIPPED: [(Stem, &[u8]); 1] =
    [(Stem::Vocals, include_bytes!("../../../assets/separator/vocals.safetensors"))];

/// The networks of these stems, as files: `STEM.safetensors` of `folder`, or the project's own without a folder.
///
/// # Errors
/// When there is no network for a stem, or a file cannot be read.
pub fn networks_of(stems: &[Stem], folder: Option<&Path>) -> Result<Vec<(Stem, Vec<u8>)>> {
    let network = |stem: &Stem| {
        let bytes = match folder {
            Some(folder) => {
                let path = folder.join(format!("{stem}.safetensors"));
                std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?
            }
            None => {
                let found = SHIPPED.iter().find(|(known, _)| known == stem);
                let (_, bytes) = found.ok_or_else(|| {
                    anyhow!("there is no separator network for the {stem}; name a folder that has one (--networks)")
                })?;
                bytes.to_vec()
            }
        };
        Ok((*stem, bytes))
    };
    stems.iter().map(network).collect()
}

/// The separator that features with these settings need; none where they name no stem.
///
/// # Errors
/// As [`networks_of`], and when a file is damaged or of another network.
pub fn separator_of(features: &FeatureSettings, folder: Option<&Path>) -> Result<Option<Arc<Separator>>> {
    if features.separated.is_empty() {
        return Ok(None);
    }
    let networks = networks_of(&features.separated, folder)?;
    let files = networks.iter().map(|(stem, bytes)| (*stem, bytes.as_slice()));
    Ok(Some(Arc::new(Separator::from_networks(files)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_the_projects_own_or_those_of_a_folder() {
        assert_eq!(networks_of(&[Stem::Vocals], None).unwrap().len(), 1);
        let sentence = networks_of(&[Stem::Drums], None).unwrap_err().to_string();
        assert!(sentence.contains("network for the drums"), "{sentence}");
        assert!(separator_of(&FeatureSettings::default(), None).unwrap().is_none());

        let folder = tempfile::tempdir().unwrap();
        let vocals_and_bass =
            FeatureSettings { separated: vec![Stem::Vocals, Stem::Bass], ..FeatureSettings::default() };
        let sentence = format!("{:#}", separator_of(&vocals_and_bass, Some(folder.path())).err().unwrap());
        assert!(sentence.contains("vocals.safetensors cannot be read"), "{sentence}");
        for stem in ["vocals", "bass"] {
            std::fs::write(folder.path().join(format!("{stem}.safetensors")), SHIPPED[0].1).unwrap();
        }
        let separator = separator_of(&vocals_and_bass, Some(folder.path())).unwrap().unwrap();
        assert_eq!(separator.stems().collect::<Vec<_>>(), vocals_and_bass.separated);
    }
}
