//! A fake model that follows a script, and a session driven step by step.
#![allow(dead_code)]

use arc_swap::ArcSwap;
use mixing_buddy::audition::{AudioSide, link};
use mixing_buddy::capture::{BlockInfo, Flow, Tap, tap};
use mixing_buddy::params::MixParams;
use mixing_buddy::view::View;
use mixing_buddy::worker::advice_model::{AdviceModel, ModelKey, ModelSource};
use mixing_buddy::worker::session::{Connections, Next, Session};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::audition::{StemMasks, Unmixed, separate};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::encoder::StemReading;
use mixing_buddy_core::features::{BandPower, FeatureSettings};
use mixing_buddy_core::passes::shift::shift_db;
use mixing_buddy_core::profile::Library;
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{
    Advice, AdviceKind, Analysis, BestAnswer, CancelFlag, Conversation, DeviceKind, Error, ModelChoice,
    PerStem, Request, Result, Stem, Verdict,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Sample rate of the test's audio: that of the fake model, so that nothing is resampled.
pub const RATE_HZ: u32 = 8_000;

/// What the fake does with the next window.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Fail,
    Panic,
    /// Takes this long, and can be cancelled.
    Slow(Duration),
}

/// A model that measures how loud a window is and reports it as the level of the vocals.
pub struct Fake {
    pub settings: FeatureSettings,
    pub device: DeviceKind,
    pub separator: Option<Arc<Separator>>,
    pub script: Mutex<VecDeque<Act>>,
    pub analyzed: AtomicUsize,
    pub answered: AtomicUsize,
    /// Conversations that were begun before a question.
    pub begun: AtomicUsize,
    /// Windows that were separated for an audition.
    pub separated: AtomicUsize,
    pub requests: Mutex<Vec<Request>>,
    /// Where the vocals' fader stands, in dB.
    pub vocals_db: Mutex<f64>,
}

impl Fake {
    pub fn new(script: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Self::on(DeviceKind::Cpu, script)
    }

    /// A model whose features need the vocal separator.
    pub fn separating() -> Arc<Self> {
        static VOCALS: &[u8] = include_bytes!("../../../assets/separator/vocals.safetensors");
        let separator = Separator::from_networks([(Stem::Vocals, VOCALS)]).unwrap();
        let mut fake = Arc::into_inner(Self::new([])).expect("nobody else has it yet");
        fake.settings.separated = vec![Stem::Vocals];
        fake.separator = Some(Arc::new(separator));
        Arc::new(fake)
    }

    pub fn on(device: DeviceKind, script: impl IntoIterator<Item = Act>) -> Arc<Self> {
        // Other fields, present or future, are those of the shipped model.
        #[allow(clippy::needless_update)]
        Arc::new(Fake {
            settings: FeatureSettings {
                sample_rate_hz: RATE_HZ,
                fft_samples: 256,
                hop_samples: 160,
                bands: 12,
                lowest_hz: 60.0,
                highest_hz: 3_900.0,
                patch_frames: 5,
                ..FeatureSettings::default()
            },
            device,
            separator: None,
            script: Mutex::new(script.into_iter().collect()),
            analyzed: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            separated: AtomicUsize::new(0),
            requests: Mutex::default(),
            vocals_db: Mutex::default(),
        })
    }

    /// Number of windows analyzed.
    pub fn analyzed(&self) -> usize {
        self.analyzed.load(Ordering::SeqCst)
    }
}

impl AdviceModel for Fake {
    fn name(&self) -> String {
        "fake 1.0".into()
    }

    fn device(&self) -> DeviceKind {
        self.device
    }

    fn features(&self) -> &FeatureSettings {
        &self.settings
    }

    fn separator(&self) -> Option<&Arc<Separator>> {
        self.separator.as_ref()
    }

    fn threshold(&self) -> f32 {
        0.55
    }

    fn usual_lu(&self) -> PerStem<(f32, f32)> {
        PerStem::from_fn(|_| (-9.0, -3.0))
    }

    fn analyze(&self, power: &BandPower, cancel: &CancelFlag) -> Result<Analysis> {
        self.analyzed.fetch_add(1, Ordering::SeqCst);
        let act = self.script.lock().unwrap().pop_front();
        match act {
            Some(Act::Fail) => return Err(Error::Format("out of memory".into())),
            Some(Act::Panic) => panic!("the script demands it"),
            Some(Act::Slow(time)) => {
                let started = Instant::now();
                while started.elapsed() < time {
                    cancel.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            None => {}
        }
        let total: f64 = power.mid.iter().map(|p| f64::from(*p)).sum();
        let level_db =
            (10.0 * (total / (power.frames * self.settings.hop_samples) as f64 + 1e-12).log10()) as f32;
        let stem = StemReading { level_db, error_db: 1.0, presence: 1.0, summary: vec![0.5; 4] };
        let levels = PerStem::all(Some(f64::from(level_db)));
        let shifts = shift_db(&levels, Stem::Vocals, *self.vocals_db.lock().unwrap());
        Ok(Analysis {
            silent: level_db < -90.0,
            reading: PerStem::from_fn(|at| {
                let shift = shifts[at].unwrap_or(0.0) as f32;
                StemReading { level_db: stem.level_db + shift, ..stem.clone() }
            }),
            levels_lu: PerStem::from_fn(|_| Some(level_db)),
        })
    }

    /// The vocals have everything in the upper half of the bands, the other stems share the rest.
    fn stem_masks(&self, power: &BandPower, cancel: &CancelFlag) -> Result<StemMasks> {
        cancel.check()?;
        let (frames, bands) = (power.frames, power.bands);
        let share = |stem, band| match (stem, band >= bands / 2) {
            (Stem::Vocals, true) => 1.0,
            (Stem::Vocals, false) | (_, true) => 0.0,
            (_, false) => 1.0 / 3.0,
        };
        let maps =
            PerStem::from_fn(|stem| (0..frames * bands).map(|cell| share(stem, cell % bands)).collect());
        let maps: PerStem<Vec<f32>> = maps;
        Ok(StemMasks { frames, bands, mid: maps.clone(), side: maps })
    }

    fn separate(
        &self,
        window: &Unmixed,
        power: &BandPower,
        cancel: &CancelFlag,
    ) -> Result<Vec<(Stem, StereoPcm)>> {
        self.separated.fetch_add(1, Ordering::SeqCst);
        match &self.separator {
            Some(separator) => {
                separate(window.sound(), separator, power, window.masks(), &self.settings, cancel)
            }
            None => Ok(Vec::new()),
        }
    }

    fn begin(&self, _conversation: &mut Conversation, cancel: &CancelFlag) -> Result<()> {
        cancel.check()?;
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice> {
        cancel.check()?;
        self.answered.fetch_add(1, Ordering::SeqCst);
        self.requests.lock().unwrap().push(request.clone());
        let level_db = analysis.reading.vocals.level_db;
        let (verdict, stem, gain_db) = if level_db > -20.0 {
            (Verdict::Loud, Some(Stem::Vocals), Some(-4.0))
        } else {
            (Verdict::NoError, None, None)
        };
        Ok(Advice {
            kind: AdviceKind::Balance,
            verdict,
            stem,
            gain_db,
            gain_db_sd: gain_db.map(|_| 1.0),
            confidence: 0.8,
            best: BestAnswer { verdict, stem, gain_db },
            levels_lu: analysis.levels_lu,
            text: format!("Measured {level_db:.0} dB. {}", request.question),
        })
    }

    fn pool(&self, analyses: &[Analysis]) -> Option<Analysis> {
        analyses.last().cloned()
    }

    fn reference_of(&self, analyses: &[Analysis]) -> Option<ReferenceBalance> {
        analyses.last().map(|analysis| ReferenceBalance::of_levels(analysis.levels_lu))
    }
}

/// Gives models in order; fails when none is left.
pub struct Source {
    pub models: VecDeque<Arc<Fake>>,
    /// The keys that were asked for.
    pub keys: Arc<Mutex<Vec<ModelKey>>>,
    /// The language models that were chosen for all projects, one after another.
    pub language: Arc<Mutex<Vec<ModelChoice>>>,
}

impl ModelSource for Source {
    fn get(&mut self, key: &ModelKey, _cancel: &CancelFlag) -> Result<Option<Arc<dyn AdviceModel>>> {
        self.keys.lock().unwrap().push(key.clone());
        if matches!(&key.language, ModelChoice::Large(large) if !large.file.starts_with("/models")) {
            return Err(Error::Format("the file is damaged".into()));
        }
        if let Some(path) = key.path.clone() {
            return Err(Error::Bundle { path, reason: "has format version 9".into() });
        }
        match self.models.pop_front() {
            Some(model) => Ok(Some(model)),
            None => Err(Error::Format("no weights were built in".into())),
        }
    }

    fn language(&mut self) -> Result<ModelChoice> {
        Ok(self.language.lock().unwrap().last().cloned().unwrap_or_default())
    }

    fn choose_language(&mut self, choice: &ModelChoice) -> Result<()> {
        self.language.lock().unwrap().push(choice.clone());
        Ok(())
    }

    fn language_changes(&self) -> u64 {
        self.language.lock().unwrap().len() as u64
    }
}

/// A session without a thread, and the host's side.
pub struct Bench {
    pub session: Session,
    pub params: Arc<MixParams>,
    pub view: Arc<ArcSwap<View>>,
    pub tap: Tap,
    pub audio: AudioSide,
    pub cancel: CancelFlag,
    pub keys: Arc<Mutex<Vec<ModelKey>>>,
    pub language: Arc<Mutex<Vec<ModelChoice>>>,
    /// Position of the next block in samples.
    pub position: i64,
    /// The folder of the library.
    pub data: tempfile::TempDir,
}

impl Bench {
    pub fn new(models: impl IntoIterator<Item = Arc<Fake>>) -> Self {
        Self::with(models, Arc::default(), false)
    }

    pub fn with(
        models: impl IntoIterator<Item = Arc<Fake>>,
        params: Arc<MixParams>,
        is_offline: bool,
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let view = Arc::new(ArcSwap::from_pointee(View::default()));
        let cancel = CancelFlag::new();
        let keys = Arc::new(Mutex::new(Vec::new()));
        let language = Arc::new(Mutex::new(Vec::new()));
        let source =
            Source { models: models.into_iter().collect(), keys: keys.clone(), language: language.clone() };
        let (mut audio, audition) = link();
        audio.prepare(RATE_HZ, is_offline);
        let mut session = Session::new(Connections {
            params: params.clone(),
            view: view.clone(),
            source: Box::new(source),
            audition,
            library: Some(Library::at(data.path())),
            cancel: cancel.clone(),
        });
        let (tap, reader) = tap(RATE_HZ, is_offline);
        session.set_reader(reader);
        Bench { session, params, view, tap, audio, cancel, keys, language, position: 0, data }
    }

    /// Plays seconds of noise at an amplitude, without a step of the session.
    pub fn play(&mut self, seconds: f64, amplitude: f32) {
        let total = (seconds * f64::from(RATE_HZ)) as usize;
        let sound: Vec<f32> =
            (0..total).map(|n| amplitude * (((n * 7919) % 1009) as f32 / 504.5 - 1.0)).collect();
        for block in sound.chunks(400) {
            let info = BlockInfo { flow: Flow::Playing, position: Some(self.position) };
            self.tap.block(&[block, block], info);
            self.position += block.len() as i64;
        }
    }

    /// Sends one block with another state of the transport.
    pub fn change_flow(&mut self, flow: Flow) {
        self.tap.block(&[&[0.0f32; 64]], BlockInfo { flow, position: Some(self.position) });
    }

    pub fn seek(&mut self, seconds: f64) {
        self.position = (seconds * f64::from(RATE_HZ)) as i64;
    }

    /// Steps until nothing is left to do, and returns the published view.
    pub fn settle(&mut self) -> Arc<View> {
        for _ in 0..10_000 {
            if self.session.step() == Next::Idle {
                break;
            }
        }
        // The view is published at most every 50 ms.
        std::thread::sleep(Duration::from_millis(55));
        self.session.step();
        self.view.load_full()
    }

    /// Plays and steps second by second, as on a computer that keeps up.
    pub fn play_and_step(&mut self, seconds: usize, amplitude: f32) -> Arc<View> {
        for _ in 0..seconds {
            self.play(1.0, amplitude);
            while self.session.step() == Next::Busy {}
        }
        // The last frames of a window reach a little beyond its end.
        self.play(0.05, amplitude);
        self.settle()
    }

    pub fn starts(&self) -> Vec<f64> {
        self.session.view().history.iter().map(|mark| mark.start_s).collect()
    }
}
