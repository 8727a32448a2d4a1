//! The plugin as hosts see it: passes sound through untouched, and lets the worker overhear it.

use crate::capture::{BlockInfo, Flow, Tap, tap};
use crate::editor::PanelEditor;
use crate::params::MixParams;
use crate::view::View;
use crate::worker::Worker;
use crate::worker::advisor::ModelSource;
use crate::worker::models::SharedModels;
use arc_swap::ArcSwap;
use nice_plug::prelude::*;
use std::sync::Arc;

/// Rates that are listened to, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f32> = 8_000.0..=192_000.0;

/// One instance.
pub struct MixingBuddy {
    params: Arc<MixParams>,
    view: Arc<ArcSwap<View>>,
    worker: Worker,
    /// The audio side of the ring; none until the host says at which rate it plays.
    tap: Option<Tap>,
}

impl Default for MixingBuddy {
    fn default() -> Self {
        Self::with_models(Box::new(SharedModels))
    }
}

impl MixingBuddy {
    /// An instance whose models come from `source`.
    pub fn with_models(source: Box<dyn ModelSource>) -> Self {
        let params = Arc::new(MixParams::default());
        let view = Arc::new(ArcSwap::from_pointee(View::default()));
        let worker = Worker::start(params.clone(), view.clone(), source);
        MixingBuddy { params, view, worker, tap: None }
    }

    /// What the panel shows.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The worker of this instance.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Parameters and saved state.
    pub fn parameters(&self) -> &Arc<MixParams> {
        &self.params
    }

    /// Seconds of sound that the worker has not read yet: who plays faster than music can wait for it.
    pub fn waiting_s(&self) -> f64 {
        self.tap.as_ref().map_or(0.0, |tap| tap.waiting_frames() as f64 / f64::from(tap.sample_rate_hz()))
    }

    /// Gets ready for sound at a rate. Cheap when nothing changed: hosts call it several times.
    pub fn prepare(&mut self, sample_rate_hz: f32, is_offline: bool) {
        let rate = sample_rate_hz.round() as u32;
        if !RATES_HZ.contains(&sample_rate_hz) {
            // Sound passes through all the same.
            self.tap = None;
            return;
        }
        match &mut self.tap {
            Some(tap) if tap.sample_rate_hz() == rate && tap.is_offline() == is_offline => tap.stop(),
            _ => {
                if let Some(tap) = &mut self.tap {
                    tap.stop();
                }
                let (audio_side, reader) = tap(rate, is_offline);
                self.worker.listen_to(reader);
                self.tap = Some(audio_side);
            }
        }
    }

    /// Overhears a block. Audio thread: no allocation, no lock, no system call.
    pub fn capture_block<C: AsRef<[f32]>>(&mut self, channels: &[C], transport: &Transport) {
        let Some(tap) = &mut self.tap else { return };
        let info = block_info(transport, self.params.bypass.value(), tap.is_offline());
        tap.block(channels, info);
    }
}

/// What a block is, by the host's transport.
fn block_info(transport: &Transport, is_bypassed: bool, is_offline: bool) -> BlockInfo {
    let position = transport.pos_samples();
    // Some hosts have no transport, or one that says nothing: what they send is taken as playing.
    let says_nothing = transport.tempo.is_none()
        && transport.pos_beats.is_none()
        && transport.time_sig_numerator.is_none()
        && position.is_none_or(|position| position == 0);
    // Who renders plays, though the transport of some hosts (JUCE without a play head) stands still meanwhile.
    let flow = match (is_bypassed, transport.playing || says_nothing || is_offline) {
        (true, _) => Flow::Bypassed,
        (false, true) => Flow::Playing,
        (false, false) => Flow::Paused,
    };
    BlockInfo { flow, position: position.filter(|_| transport.playing || flow != Flow::Playing) }
}

impl Plugin for MixingBuddy {
    const NAME: &'static str = "MixingBuddy";
    const VENDOR: &'static str = "The MixingBuddy authors";
    const URL: &'static str = env!("CARGO_PKG_REPOSITORY");
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[
        AudioIOLayout {
            main_input_channels: NonZeroU32::new(2),
            main_output_channels: NonZeroU32::new(2),
            names: PortNames { layout: Some("Stereo"), ..PortNames::const_default() },
            ..AudioIOLayout::const_default()
        },
        AudioIOLayout {
            main_input_channels: NonZeroU32::new(1),
            main_output_channels: NonZeroU32::new(1),
            names: PortNames { layout: Some("Mono"), ..PortNames::const_default() },
            ..AudioIOLayout::const_default()
        },
    ];

    type Editor = PanelEditor;
    type SysExMessage = ();
    /// None: what the framework runs in the background can outlive the instance.
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<PanelEditor> {
        Some(PanelEditor::new(self.params.clone(), self.view.clone(), self.worker.commands()))
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        _context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.prepare(config.sample_rate, config.process_mode == ProcessMode::Offline);
        true
    }

    fn reset(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.stop();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        self.capture_block(buffer.as_slice_immutable(), context.transport());
        ProcessStatus::Normal
    }

    fn stop_processing(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.stop();
        }
    }

    fn deactivate(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.stop();
        }
    }
}

impl ClapPlugin for MixingBuddy {
    const CLAP_ID: &'static str = "org.mixing-buddy.mixing-buddy";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Says which stem of a mix is off, and by how much");
    const CLAP_MANUAL_URL: Option<&'static str> = Some(Self::URL);
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::Analyzer,
        ClapFeature::Mixing,
        ClapFeature::Stereo,
        ClapFeature::Mono,
    ];
}

impl Vst3Plugin for MixingBuddy {
    const VST3_CLASS_ID: [u8; 16] = *b"MixingBuddyMixBa";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Analyzer];
}
