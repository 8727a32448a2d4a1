//! The plugin as hosts see it: passes audio through unchanged and copies it to the worker. Only during an audition does it
//! play something else.

use crate::audition::{AudioSide, Switch, link};
use crate::capture::{BlockInfo, Flow, Tap, tap};
use crate::editor::PanelEditor;
use crate::log;
use crate::params::MixParams;
use crate::view::{End, View};
use crate::worker::Worker;
use crate::worker::advice_model::ModelSource;
use crate::worker::models::SharedModels;
use arc_swap::ArcSwap;
use mixing_buddy_core::Stem;
use nice_plug::prelude::*;
use std::sync::Arc;

/// Identifies the plugin: the CLAP id, and the bundle identifier on macOS (`cargo xtask bundle` reads the same file).
/// Projects find the plugin by it, so it never changes.
pub const IDENTIFIER: &str = include_str!("../identifier.txt").trim_ascii();

/// Sample rates that are analyzed, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f32> = 8_000.0..=192_000.0;

/// One instance.
pub struct MixingBuddy {
    params: Arc<MixParams>,
    view: Arc<ArcSwap<View>>,
    worker: Worker,
    /// The audio side of the ring; none until the host has set a sample rate.
    tap: Option<Tap>,
    /// The callback's side of auditions.
    audition: AudioSide,
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
        let (audition, worker_side) = link();
        let worker = Worker::start(params.clone(), view.clone(), source, worker_side);
        MixingBuddy { params, view, worker, tap: None, audition }
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

    /// Seconds of audio that the worker has not read yet. A test that plays faster than real time waits for it.
    pub fn waiting_s(&self) -> f64 {
        self.tap.as_ref().map_or(0.0, |tap| tap.waiting_frames() as f64 / f64::from(tap.sample_rate_hz()))
    }

    /// Prepares for audio at a sample rate. Cheap if nothing changed: hosts call it several times.
    pub fn prepare(&mut self, sample_rate_hz: f32, is_offline: bool) {
        let rate = sample_rate_hz.round() as u32;
        if !RATES_HZ.contains(&sample_rate_hz) {
            // Audio still passes through.
            self.tap = None;
            self.audition.stop(End::Host);
            return;
        }
        self.audition.prepare(rate, is_offline);
        match &mut self.tap {
            Some(tap) if tap.sample_rate_hz() == rate && tap.is_offline() == is_offline => tap.stop(),
            _ => {
                if let Some(tap) = &mut self.tap {
                    tap.stop();
                }
                let (audio_side, reader) = tap(rate, is_offline);
                self.worker.set_reader(reader);
                self.tap = Some(audio_side);
            }
        }
    }

    /// What editor and callback share of auditions.
    pub fn audition(&self) -> &Arc<Switch> {
        self.audition.switch()
    }

    /// Copies a block to the worker. Audio thread: no allocation, no lock, no system call.
    pub fn capture_block<C: AsRef<[f32]>>(&mut self, channels: &[C], transport: &Transport) {
        let Some(tap) = &mut self.tap else { return };
        let info = block_info(transport, self.params.bypass.value(), tap.is_offline());
        tap.block(channels, info);
    }
}

/// State and position of the host's transport for a block.
fn block_info(transport: &Transport, is_bypassed: bool, is_offline: bool) -> BlockInfo {
    let position = transport.pos_samples();
    // Some hosts have no transport, or one without information: their audio counts as playing.
    let is_unknown = transport.tempo.is_none()
        && transport.pos_beats.is_none()
        && transport.time_sig_numerator.is_none()
        && position.is_none_or(|position| position == 0);
    // A host that renders is playing, although the transport of some (JUCE without a play head) stays stopped.
    let flow = match (is_bypassed, transport.playing || is_unknown || is_offline) {
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
    /// None: the framework's background tasks can outlive the instance.
    type BackgroundTask = ();

    /// `Some(false)` also keeps the framework from setting a panic hook, which would outlive the library.
    fn setup_logger() -> Option<bool> {
        log::start();
        Some(false)
    }

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<PanelEditor> {
        Some(PanelEditor::new(
            self.params.clone(),
            self.view.clone(),
            self.worker.commands(),
            self.audition.switch().clone(),
        ))
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
        let Some(tap) = &self.tap else { return ProcessStatus::Normal };
        // The worker has the mix by now; what follows is never analyzed.
        let info = block_info(context.transport(), self.params.bypass.value(), tap.is_offline());
        let is_sounding = self.audition.render(buffer.as_slice(), info.flow);
        // A host may let a plugin sleep whose input is silent.
        if is_sounding { ProcessStatus::KeepAlive } else { ProcessStatus::Normal }
    }

    fn stop_processing(&mut self) {
        self.audition.stop(End::Host);
        if let Some(tap) = &mut self.tap {
            tap.stop();
        }
    }

    fn deactivate(&mut self) {
        self.audition.stop(End::Host);
        if let Some(tap) = &mut self.tap {
            tap.stop();
        }
    }
}

impl ClapPlugin for MixingBuddy {
    const CLAP_ID: &'static str = IDENTIFIER;
    const CLAP_DESCRIPTION: Option<&'static str> =
        Some("Tells you which stem of a mix is too loud or too quiet, and by how many dB");
    const CLAP_MANUAL_URL: Option<&'static str> = Some(Self::URL);
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::Analyzer,
        ClapFeature::Mixing,
        ClapFeature::Stereo,
        ClapFeature::Mono,
    ];

    /// Pages of a controller with eight knobs: what it reads, and what it sets.
    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        let params = &self.params;
        let readouts = &params.readouts;
        context.add_section("MixingBuddy", |section| {
            section.add_page("Advice", |page| {
                page.add_param(&readouts.verdict);
                page.add_param(&readouts.stem);
                page.add_param(&readouts.gain_db);
                page.add_param(&readouts.confidence);
                for stem in Stem::ALL {
                    page.add_param(readouts.level(stem));
                }
            });
            section.add_page("Settings", |page| {
                page.add_param(&params.confidence_threshold);
                page.add_param(&params.hop);
                page.add_param(&params.bypass);
            });
            section.add_page("Loudness", |page| {
                page.add_param(&readouts.integrated_lufs);
                page.add_param(&readouts.short_term_lufs);
                page.add_param(&readouts.range_lu);
                page.add_param(&readouts.true_peak_dbtp);
            });
        });
    }
}

impl Vst3Plugin for MixingBuddy {
    // Projects find the plugin by it, so it never changes.
    const VST3_CLASS_ID: [u8; 16] = *b"MixingBuddyMixBa";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Analyzer];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_find_the_plugin_by_the_same_identifiers_as_always() {
        assert_eq!(IDENTIFIER, "org.mixing-buddy.mixing-buddy");
        assert_eq!(&MixingBuddy::VST3_CLASS_ID, b"MixingBuddyMixBa");
    }
}
