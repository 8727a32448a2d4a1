//! musicnn (Pons and Serra 2019), a general music encoder: the outputs of its layers before they become tags.
//!
//! Its input is a log-mel spectrogram of 96 bands at 16 kHz (512 samples, hop 256), cut to patches of three seconds. The
//! weights are converted by `trainer/frontends/convert_musicnn.py`.

use anyhow::{Context, Result};
use candle_core::{D, Device, Tensor};
use mixing_buddy_core::audio::{StereoPcm, resample};
use mixing_buddy_core::stft::Stft;
use std::collections::HashMap;
use std::path::Path;

const RATE_HZ: u32 = 16_000;
const FFT_SAMPLES: usize = 512;
const HOP_SAMPLES: usize = 256;
const MELS: usize = 96;
/// Frames of a patch: three seconds, the length that it was trained with.
const PATCH_FRAMES: usize = 187;
/// Level that the sound is scaled to, about that of a mastered song: the logarithm of the input depends on the level.
const RMS: f32 = 0.15;
/// Layers of the front end that look along frequency, then those that look along time only.
const TIMBRAL: std::ops::Range<usize> = 0..2;
const TEMPORAL: std::ops::Range<usize> = 2..5;
/// Layers after them.
const MIDDLE: std::ops::Range<usize> = 5..8;

/// The network, up to where its features are pooled over time.
pub struct MusicNn {
    weights: HashMap<String, Tensor>,
    stft: Stft,
    bank: Vec<Vec<(usize, f32)>>,
}

impl MusicNn {
    /// Reads the weights.
    ///
    /// # Errors
    /// When the file cannot be read or lacks a weight.
    pub fn load(path: &Path) -> Result<Self> {
        let weights = candle_core::safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        for layer in 0..MIDDLE.end {
            let norm = layer + 1;
            for name in
                [format!("conv{layer}.weight"), format!("conv{layer}.bias"), format!("norm{norm}.scale")]
            {
                weights.get(&name).with_context(|| format!("{} has no '{name}'", path.display()))?;
            }
        }
        Ok(Self::of(weights))
    }

    fn of(weights: HashMap<String, Tensor>) -> Self {
        MusicNn { weights, stft: Stft::new(FFT_SAMPLES, HOP_SAMPLES), bank: mel_bank() }
    }

    fn weight(&self, name: &str) -> Result<&Tensor> {
        self.weights.get(name).with_context(|| format!("musicnn's weight '{name}' is missing"))
    }

    /// The features of a window: the maximum and the mean of each over a patch, averaged over patches.
    ///
    /// # Errors
    /// As resampling and tensor operations.
    pub fn features(&mut self, pcm: &StereoPcm) -> Result<Vec<f32>> {
        let input = self.log_mel(pcm)?;
        let patches = (input.dim(0)? / PATCH_FRAMES).max(1);
        let mut sum: Option<Tensor> = None;
        for patch in 0..patches {
            let frames = PATCH_FRAMES.min(input.dim(0)?);
            let layers = self.layers(&input.narrow(0, patch * PATCH_FRAMES, frames)?)?;
            let pooled = Tensor::cat(&[layers.max(0)?, layers.mean(0)?], 0)?;
            sum = Some(match sum {
                Some(sum) => (sum + pooled)?,
                None => pooled,
            });
        }
        let sum = sum.context("a window has at least one patch")?;
        Ok((sum / patches as f64)?.to_vec1()?)
    }

    /// `log10(1 + 10000 mel)`, `[frames, 96]`.
    fn log_mel(&mut self, pcm: &StereoPcm) -> Result<Tensor> {
        let low = resample(pcm, RATE_HZ)?;
        let mut mono: Vec<f32> = low.left.iter().zip(&low.right).map(|(l, r)| 0.5 * (l + r)).collect();
        let rms = (mono.iter().map(|x| x * x).sum::<f32>() / mono.len().max(1) as f32).sqrt().max(1e-6);
        mono.iter_mut().for_each(|x| *x *= RMS / rms);
        // Our transform is scaled to a frame's power; theirs is not.
        let energy = 3.0 / 8.0 * FFT_SAMPLES as f32;
        let unscale = energy * FFT_SAMPLES as f32 / HOP_SAMPLES as f32;
        let frames = 1 + mono.len() / HOP_SAMPLES;
        let mut input = vec![0.0; frames * MELS];
        let bank = &self.bank;
        self.stft.for_each_frame(&mono, frames, |frame, spectrum| {
            for (to, band) in input[frame * MELS..(frame + 1) * MELS].iter_mut().zip(bank) {
                let power: f32 = band.iter().map(|(bin, weight)| spectrum[*bin].norm_sqr() * weight).sum();
                *to = (1.0 + 10_000.0 * unscale * power).log10();
            }
        });
        Ok(Tensor::from_vec(input, (frames, MELS), &Device::Cpu)?)
    }

    /// Convolution, ReLU and normalisation of `[1, channels, frames, width]`.
    fn layer(&self, x: &Tensor, number: usize) -> Result<Tensor> {
        let x = x.conv2d(self.weight(&format!("conv{number}.weight"))?, 0, 1, 1, 1)?;
        let x = x.broadcast_add(&self.of_channels(&format!("conv{number}.bias"))?)?.relu()?;
        self.normed(&x, number + 1)
    }

    fn normed(&self, x: &Tensor, number: usize) -> Result<Tensor> {
        let scaled = x.broadcast_mul(&self.of_channels(&format!("norm{number}.scale"))?)?;
        Ok(scaled.broadcast_add(&self.of_channels(&format!("norm{number}.offset"))?)?)
    }

    /// A weight with one value per channel, in a shape that broadcasts over `[1, channels, frames, width]`.
    fn of_channels(&self, name: &str) -> Result<Tensor> {
        Ok(self.weight(name)?.reshape((1, (), 1, 1))?)
    }

    /// Everything that is pooled, `[frames, features]`: five layers of the front end and the three after it.
    fn layers(&self, input: &Tensor) -> Result<Tensor> {
        let x = self.normed(&input.unsqueeze(0)?.unsqueeze(0)?, 0)?;
        let padded = x.pad_with_zeros(2, 3, 3)?;
        let mut front = Vec::new();
        for layer in TIMBRAL {
            front.push(self.layer(&padded, layer)?.max(D::Minus1)?);
        }
        for layer in TEMPORAL {
            let kernel = self.weight(&format!("conv{layer}.weight"))?.dim(2)?;
            let padded = x.pad_with_zeros(2, (kernel - 1) / 2, kernel / 2)?;
            front.push(self.layer(&padded, layer)?.max(D::Minus1)?);
        }
        // `[1, features, frames]` to `[frames, features]`
        let front = Tensor::cat(&front, 1)?.squeeze(0)?.t()?.contiguous()?;
        let mut all = vec![front];
        for layer in MIDDLE {
            let before = &all[all.len() - 1];
            let padded = before.pad_with_zeros(0, 3, 3)?.unsqueeze(0)?.unsqueeze(0)?;
            let after = self.layer(&padded, layer)?.squeeze(D::Minus1)?.squeeze(0)?.t()?.contiguous()?;
            all.push(if layer == MIDDLE.start { after } else { (after + before)? });
        }
        Ok(Tensor::cat(&all, 1)?)
    }
}

/// Triangles of equal area on Slaney's mel scale, as librosa has them: bins and weights of each band.
fn mel_bank() -> Vec<Vec<(usize, f32)>> {
    let step = 6.4f64.ln() / 27.0;
    let to_hz = |mel: f64| if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * step).exp() };
    let top = 15.0 + (f64::from(RATE_HZ / 2) / 1000.0).ln() / step;
    let edges: Vec<f64> = (0..MELS + 2).map(|at| to_hz(top * at as f64 / (MELS + 1) as f64)).collect();
    let hz_per_bin = f64::from(RATE_HZ) / FFT_SAMPLES as f64;
    let triangle = |edges: &[f64]| {
        let (low, centre, high) = (edges[0], edges[1], edges[2]);
        let weight = |bin: usize| {
            let hz = bin as f64 * hz_per_bin;
            ((hz - low) / (centre - low)).min((high - hz) / (high - centre)).max(0.0) * 2.0 / (high - low)
        };
        (0..=FFT_SAMPLES / 2)
            .map(|bin| (bin, weight(bin) as f32))
            .filter(|(_, weight)| *weight > 0.0)
            .collect()
    };
    edges.windows(3).map(triangle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network of the same shape with few filters, against sums written out by hand.
    #[test]
    fn layers_are_those_of_the_paper() {
        let device = Device::Cpu;
        let mut weights = HashMap::new();
        let kernels =
            [(2, 7, 38), (3, 7, 67), (2, 128, 1), (1, 64, 1), (2, 32, 1), (4, 7, 10), (4, 7, 4), (4, 7, 4)];
        for (layer, (filters, height, width)) in kernels.into_iter().enumerate() {
            let random = |shape: &[usize]| Tensor::randn(0f32, 0.1, shape, &device).unwrap();
            weights.insert(format!("conv{layer}.weight"), random(&[filters, 1, height, width]));
            for name in [
                format!("conv{layer}.bias"),
                format!("norm{}.scale", layer + 1),
                format!("norm{}.offset", layer + 1),
            ] {
                weights.insert(name, random(&[filters]));
            }
        }
        for part in ["scale", "offset"] {
            weights.insert(format!("norm0.{part}"), Tensor::new(&[0.5f32], &device).unwrap());
        }
        let net = MusicNn::of(weights);
        let input = Tensor::randn(0f32, 1.0, (40, MELS), &device).unwrap();
        let layers = net.layers(&input).unwrap();
        assert_eq!(layers.dims(), [40, 10 + 3 * 4]);

        let of = |name: &str| net.weight(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let cells = input.to_vec2::<f32>().unwrap();
        // Frames before and behind the patch are zero after the first normalisation.
        let at = |frame: isize, band: usize| {
            let inside = (0..40).contains(&frame);
            if inside { 0.5 * cells[frame as usize][band] + 0.5 } else { 0.0 }
        };
        let value = |frame: usize, feature: usize| {
            layers.get(frame).unwrap().get(feature).unwrap().to_scalar::<f32>().unwrap()
        };
        for (layer, filter, feature, pad) in [(1, 2, 4, 3isize), (3, 0, 7, 31)] {
            let (_, height, width) = kernels[layer];
            let (kernel, bias) = (of(&format!("conv{layer}.weight")), of(&format!("conv{layer}.bias")));
            let (scale, offset) =
                (of(&format!("norm{}.scale", layer + 1)), of(&format!("norm{}.offset", layer + 1)));
            for frame in [0usize, 17, 39] {
                let place = |band: usize| {
                    let mut sum = bias[filter];
                    for h in 0..height {
                        for w in 0..width {
                            let weight = kernel[(filter * height + h) * width + w];
                            sum += weight * at(frame as isize + h as isize - pad, band + w);
                        }
                    }
                    sum.max(0.0) * scale[filter] + offset[filter]
                };
                let expected = (0..=MELS - width).map(place).fold(f32::MIN, f32::max);
                let found = value(frame, feature);
                assert!(
                    (found - expected).abs() < 1e-4,
                    "layer {layer}, frame {frame}: {found} for {expected}"
                );
            }
        }
    }

    #[test]
    fn bands_have_equal_area_and_a_tone_falls_into_its_own() {
        let bank = mel_bank();
        assert_eq!(bank.len(), MELS);
        let hz_per_bin = RATE_HZ as f32 / FFT_SAMPLES as f32;
        for band in &bank[60..] {
            let area: f32 = band.iter().map(|(_, weight)| weight * hz_per_bin).sum();
            assert!((area - 1.0).abs() < 0.1, "{area}");
        }
        let loudest = |hz: f32| {
            let bin = (hz / hz_per_bin).round() as usize;
            let of =
                |band: &Vec<(usize, f32)>| band.iter().find(|(at, _)| *at == bin).map_or(0.0, |(_, w)| *w);
            (0..MELS).max_by(|a, b| of(&bank[*a]).total_cmp(&of(&bank[*b]))).unwrap()
        };
        assert!(loudest(440.0) < loudest(1000.0) && loudest(1000.0) < loudest(4000.0));
    }
}
