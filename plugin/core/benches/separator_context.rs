//! How much context the separator needs, and at which level it wants its input:
//! `cargo bench --workspace --bench separator_context`, with folders of stems (`vocals.ogg`, `drums.ogg` …) after `--`;
//! without, the demo.
//!
//! Of each setting: frames of the network for ten seconds of sound (what a frame costs, the bench `separator` tells), and
//! how far the vocals' level of a window (10 s, against the rest) is from the truth, and from that of passes so long that
//! far more than a window is seen at once.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says why by panicking")]

use mixing_buddy_core::audio::{StereoPcm, decode_file, resample};
use mixing_buddy_core::features::{FeatureExtractor, FeatureSettings, PassSettings, ShareStream};
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{CancelFlag, Stem};
use std::path::{Path, PathBuf};
use std::sync::Arc;

static VOCALS: &[u8] = include_bytes!("../../../assets/separator/vocals.safetensors");

/// Passes that stand for the whole song: 24 s.
const LONG: PassSettings = PassSettings { frames: 1024, level_dbfs: PassSettings::SHIPPED.level_dbfs };
/// Stretch of a song that is measured: the one with the loudest vocals.
const STRETCH_S: usize = 40;
/// Windows whose vocals are quieter than this against the rest are left out.
const QUIETEST_DB: f64 = -15.0;

struct Song {
    mix: StereoPcm,
    vocals: StereoPcm,
}

fn songs() -> Vec<Song> {
    let mut given: Vec<PathBuf> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    if given.is_empty() {
        given = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo")];
    }
    given.iter().map(|folder| song(folder)).collect()
}

fn song(folder: &Path) -> Song {
    let rate_hz = FeatureSettings::default().sample_rate_hz;
    let decode = |stem: Stem| {
        let path = ["ogg", "flac"]
            .map(|ext| folder.join(format!("{stem}.{ext}")))
            .into_iter()
            .find(|p| p.exists())?;
        Some(resample(&decode_file(&path, &CancelFlag::new()).unwrap(), rate_hz).unwrap())
    };
    let stems: Vec<StereoPcm> = Stem::ALL.into_iter().filter_map(decode).collect();
    let vocals = decode(Stem::Vocals).unwrap();
    let stretch = (STRETCH_S * rate_hz as usize).min(vocals.len());
    let power = |start: usize| vocals.left[start..start + stretch].iter().map(|x| x * x).sum::<f32>();
    let start = (0..=vocals.len() - stretch).step_by(rate_hz as usize);
    let start = start.max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap();
    let cut = |x: &[f32]| -> Vec<f32> {
        (start..start + stretch).map(|n| x.get(n).copied().unwrap_or(0.0)).collect()
    };
    let mut mix = StereoPcm::new(vec![0.0; stretch], vec![0.0; stretch], rate_hz).unwrap();
    for stem in &stems {
        mix.left.iter_mut().zip(cut(&stem.left)).for_each(|(sum, x)| *sum += x);
        mix.right.iter_mut().zip(cut(&stem.right)).for_each(|(sum, x)| *sum += x);
    }
    Song { mix, vocals: StereoPcm::new(cut(&vocals.left), cut(&vocals.right), rate_hz).unwrap() }
}

fn settings() -> FeatureSettings {
    FeatureSettings { separated: vec![Stem::Vocals], ..FeatureSettings::default() }
}

fn level_db(vocals: f64, all: f64) -> f64 {
    10.0 * (vocals / (all - vocals).max(1e-12)).log10()
}

/// The vocals' level of each window of the song in dB: as they are, or as the separator finds them.
fn levels(song: &Song, separator: Option<(&Arc<Separator>, PassSettings)>) -> Vec<f64> {
    let settings = settings();
    let mut extractor = FeatureExtractor::new(&settings);
    let mut power = |pcm: &StereoPcm| -> Vec<f32> {
        let power = extractor.band_power(&pcm.left, &pcm.right).unwrap();
        power.mid.iter().zip(&power.side).map(|(mid, side)| mid + side).collect()
    };
    let mix = power(&song.mix);
    let window = FeatureSettings::SLABS_PER_WINDOW * settings.slab_frames() * settings.bands;
    let vocals: Vec<f32> = match separator {
        None => power(&song.vocals),
        Some((separator, pass)) => {
            let mut stream = ShareStream::with_pass(Arc::clone(separator), &settings, pass).unwrap();
            let (mut shares, cancel) = (Vec::new(), CancelFlag::new());
            stream.push(&song.mix.left, &song.mix.right, &cancel, |slab| shares.extend(slab)).unwrap();
            let missing =
                (mix.len() - shares.len().min(mix.len())).div_ceil(settings.slab_frames() * settings.bands);
            stream.finish(missing, &cancel, |slab| shares.extend(slab)).unwrap();
            mix.iter().zip(&shares).map(|(power, share)| power * share).collect()
        }
    };
    let sum = |map: &[f32]| map.iter().map(|p| f64::from(*p)).sum::<f64>();
    mix.chunks_exact(window)
        .zip(vocals.chunks_exact(window))
        .map(|(all, v)| level_db(sum(v), sum(all)))
        .collect()
}

fn main() {
    let separator = Arc::new(Separator::from_networks([(Stem::Vocals, VOCALS)]).unwrap());
    let songs = songs();
    let all = |pass: Option<PassSettings>| -> Vec<f64> {
        songs.iter().flat_map(|song| levels(song, pass.map(|pass| (&separator, pass)))).collect()
    };
    let (truth, long) = (all(None), all(Some(LONG)));
    println!("vocals against the rest in dB: {truth:.1?}");
    let figures = |from: &[f64], these: &[f64]| {
        let kept = truth.iter().zip(from).zip(these).filter(|((truth, _), _)| **truth > QUIETEST_DB);
        let mut errors: Vec<f64> = kept.map(|((_, from), these)| (from - these).abs()).collect();
        errors.sort_by(f64::total_cmp);
        let at = |share: f64| errors[((errors.len() - 1) as f64 * share) as usize];
        format!("median {:.2}, 90 % {:.2}, most {:.2} dB", at(0.5), at(0.9), at(1.0))
    };
    let print = |pass: PassSettings| {
        let these = all(Some(pass));
        let context_s = (pass.frames * 1024).saturating_sub(110_250) as f64 / 2.0 / 44_100.0;
        println!(
            "{} frames a pass, input at {} dBFS: context {context_s:.2} s, {} frames for 10 s; error {}; from long passes {}",
            pass.frames,
            pass.level_dbfs,
            FeatureSettings::SLABS_PER_WINDOW * pass.frames,
            figures(&truth, &these),
            figures(&long, &these)
        );
    };
    for (frames, level_dbfs) in [
        (128, -14.0),
        (192, -14.0),
        (256, -14.0),
        (1024, -14.0),
        (192, -30.0),
        (192, -20.0),
        (128, -8.0),
        (192, -8.0),
        (256, -8.0),
        (128, -4.0),
    ] {
        print(PassSettings { frames, level_dbfs });
    }
}
