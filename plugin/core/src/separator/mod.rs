//! Separator: a stem's share of each cell of the mix, estimated by a pretrained network.
//!
//! The vocal network is that of Spleeter (Deezer; Hennequin et al. 2020), published under MIT and trained on some 24,000
//! songs. It is a U-Net over magnitudes at 44.1 kHz; its output is the stem's share of each magnitude, 0 to 1.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`spectrum`] | magnitudes of both channels, as the network was trained on them |
//! | [`unet`] | the network |
//! | [`integer`] | the network in whole numbers, for kernels of 8 bits |
//! | [`convolution`] | its convolutions in floating point, as matrix products over blocks |
//! | [`weights`] | its weights: kernels in 8 bits, read from a safetensors file |
//!
//! A network whose large kernels have 8 bits, as the shipped one's, is computed in whole numbers, with kernels of our own for
//! AVX-512, AVX2, NEON and every other processor; a network of whole kernels in floating point, by matrix products (crate
//! `gemm`). Everything runs on the calling thread; no thread pool is started.

pub mod convolution;
pub mod integer;
pub mod spectrum;
pub mod unet;
pub mod weights;

pub use spectrum::{Magnitudes, SEPARATOR_RATE_HZ};
pub use unet::{BINS, FRAME_MULTIPLE, UNet, Workspace};
pub use weights::{CHANNELS, NetworkWeights};

use crate::cancel::CancelFlag;
use crate::error::{Error, Result};
use crate::stem::Stem;
use std::sync::{Mutex, PoisonError};

/// Networks by stem: one for each stem that can be separated from the rest.
pub struct Separator {
    networks: Vec<(Stem, UNet)>,
    /// Buffers that no pass uses now. They are tens of megabytes, and a stream needs them for a moment every 2.5 s, so that
    /// all streams of a separator take turns with as many as there are passes at the same time.
    idle: Mutex<Vec<Workspace>>,
}

/// A stem's share of each cell of [`Magnitudes`], 0 to 1, `[2, frames, 1024]`.
pub struct StemShares {
    /// The stem.
    pub stem: Stem,
    /// Number of frames.
    pub frames: usize,
    /// The shares.
    pub values: Vec<f32>,
}

impl Separator {
    /// A separator with these networks, each given as the bytes of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Format`] when a file is damaged, holds another network, or a stem is given twice.
    pub fn from_networks<'a>(files: impl IntoIterator<Item = (Stem, &'a [u8])>) -> Result<Self> {
        let mut networks: Vec<(Stem, UNet)> = Vec::new();
        for (stem, bytes) in files {
            if networks.iter().any(|(known, _)| *known == stem) {
                return Err(Error::Format(format!("the separator has two networks for the {stem}")));
            }
            let weights = NetworkWeights::read(bytes)
                .map_err(|error| Error::Format(format!("the separator's network for the {stem}: {error}")))?;
            networks.push((stem, UNet::new(weights)));
        }
        Ok(Separator { networks, idle: Mutex::default() })
    }

    /// The stems that have a network.
    pub fn stems(&self) -> impl Iterator<Item = Stem> + '_ {
        self.networks.iter().map(|(stem, _)| *stem)
    }

    /// The networks, in the order of [`Separator::stems`].
    pub fn networks(&self) -> impl Iterator<Item = &UNet> {
        self.networks.iter().map(|(_, network)| network)
    }

    /// Calls `pass` with buffers that no other pass uses, and keeps them for the next. Blocks for a moment at most.
    pub fn with_workspace<R>(&self, pass: impl FnOnce(&mut Workspace) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = idle().pop().unwrap_or_default();
        let result = pass(&mut work);
        idle().push(work);
        result
    }

    /// The shares of every stem that has a network. `work` keeps its buffers from one call to the next.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; the flag is checked before each network.
    pub fn shares(
        &self,
        magnitudes: &Magnitudes,
        work: &mut Workspace,
        cancel: &CancelFlag,
    ) -> Result<Vec<StemShares>> {
        self.networks
            .iter()
            .map(|(stem, network)| {
                cancel.check()?;
                let mut values = vec![0.0; magnitudes.values().len()];
                network.shares(magnitudes.values(), magnitudes.padded_frames(), work, &mut values);
                Ok(StemShares { stem: *stem, frames: magnitudes.padded_frames(), values })
            })
            .collect()
    }
}

impl StemShares {
    /// Level of the stem against the rest of the mix in dB (power, both channels); infinite if either has no power.
    pub fn level_against_rest_db(&self, magnitudes: &Magnitudes) -> f64 {
        let (mut stem, mut rest) = (0.0, 0.0);
        for (share, magnitude) in self.values.iter().zip(magnitudes.values()) {
            let (power, share) = (f64::from(*magnitude).powi(2), f64::from(*share).powi(2));
            stem += power * share;
            rest += power * (1.0 - share);
        }
        10.0 * (stem / rest).log10()
    }
}
