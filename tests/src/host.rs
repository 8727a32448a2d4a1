//! A small CLAP host: it loads a bundle, activates an instance, plays blocks with a transport, and saves its state.
//!
//! An [`Instance`] stays on the thread that created it, CLAP's main thread. Its [`Audio`] can be lent to another thread
//! that plays, as in real hosts.

mod values;

pub use values::{Parameter, Told, Transport};

use anyhow::{Context, Result, anyhow, ensure};
use clack_extensions::audio_ports::{AudioPortInfoBuffer, PluginAudioPorts};
use clack_extensions::audio_ports_config::{AudioPortsConfigBuffer, PluginAudioPortsConfig};
use clack_extensions::latency::PluginLatency;
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamInfoBuffer,
    ParamInfoFlags, ParamRescanFlags, PluginParams,
};
use clack_extensions::remote_controls::{PluginRemoteControls, RemoteControlsPageBuffer};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::{HostState, HostStateImpl, PluginState};
use clack_host::events::EventFlags;
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the plugin can ask the host for, from any thread.
#[derive(Default)]
pub struct Shared {
    callback_wanted: AtomicBool,
}

impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.callback_wanted.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for Shared {
    fn request_flush(&self) {}
}

/// What the plugin can ask the host for on the main thread.
#[derive(Default)]
pub struct MainThread {
    /// How often the plugin has marked the project as modified.
    modified: Cell<usize>,
}

impl MainThreadHandler<'_> for MainThread {}

impl HostStateImpl for MainThread {
    fn mark_dirty(&self) {
        self.modified.set(self.modified.get() + 1);
    }
}

impl HostParamsImplMainThread for MainThread {
    fn rescan(&self, _flags: ParamRescanFlags) {}
    fn clear(&self, _param_id: ClapId, _flags: ParamClearFlags) {}
}

/// The host, as the plugin sees it.
pub struct Host;

impl HostHandlers for Host {
    type Shared<'a> = Shared;
    type MainThread<'a> = MainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _: &Shared) {
        builder.register::<HostState>().register::<HostParams>();
    }
}

/// A CLAP in this process. It is unloaded when it and all its instances are dropped.
pub struct Library {
    entry: PluginEntry,
    /// The CLAP id.
    pub id: String,
    /// The name of the plugin.
    pub name: String,
    /// The plugin's version.
    pub version: String,
}

impl Library {
    /// Loads a bundle.
    ///
    /// # Errors
    /// When the file is not a CLAP or contains no plugin.
    pub fn load(bundle: &Path) -> Result<Self> {
        // SAFETY: this runs constructors of the library, which this project has built.
        let entry = unsafe { PluginEntry::load(bundle) }
            .with_context(|| format!("{} cannot be loaded", bundle.display()))?;
        let text =
            |text: Option<&std::ffi::CStr>| text.map_or(String::new(), |t| t.to_string_lossy().into_owned());
        let (id, name, version) = {
            let factory = entry.get_plugin_factory().context("it has no plugin factory")?;
            let descriptor = factory.plugin_descriptor(0).context("it contains no plugin")?;
            (text(descriptor.id()), text(descriptor.name()), text(descriptor.version()))
        };
        Ok(Self { entry, id, name, version })
    }

    /// Creates an instance, which is not active yet.
    ///
    /// # Errors
    /// When the plugin refuses.
    pub fn create(&self) -> Result<Instance> {
        let factory = self.entry.get_plugin_factory().context("the bundle has no plugin factory")?;
        let descriptor = factory.plugin_descriptor(0).context("the bundle contains no plugin")?;
        let id = descriptor.id().context("the plugin has no id")?;
        let host = HostInfo::new("MixingBuddy's tests", "MixingBuddy", "", env!("CARGO_PKG_VERSION"))?;
        let plugin = PluginInstance::<Host>::new(
            |_| Shared::default(),
            |_| MainThread::default(),
            &self.entry,
            id,
            &host,
        )
        .map_err(|error| anyhow!("no instance can be created: {error}"))?;
        Ok(Instance { audio: None, plugin })
    }
}

/// An instance of the plugin.
pub struct Instance {
    // Dropped before the plugin: CLAP requires deactivation first.
    audio: Option<Audio>,
    plugin: PluginInstance<Host>,
}

impl Instance {
    /// Number of channels of the main input and output now.
    pub fn channels(&mut self) -> (u32, u32) {
        let handle = self.plugin.plugin_handle();
        let Some(ports) = handle.get_extension::<PluginAudioPorts>() else { return (0, 0) };
        let mut buffer = AudioPortInfoBuffer::new();
        let mut of =
            |is_input| ports.get(&handle, 0, is_input, &mut buffer).map_or(0, |port| port.channel_count);
        (of(true), of(false))
    }

    /// Selects the layout with `channels` in and out.
    ///
    /// # Errors
    /// When the plugin has no such layout, or is active.
    pub fn select_channels(&mut self, channels: u32) -> Result<()> {
        ensure!(self.audio.is_none(), "the layout cannot change while the plugin is active");
        let handle = self.plugin.plugin_handle();
        let layouts =
            handle.get_extension::<PluginAudioPortsConfig>().context("the plugin has one layout only")?;
        let mut buffer = AudioPortsConfigBuffer::new();
        for index in 0..layouts.count(&handle) {
            let Some(layout) = layouts.get(&handle, index, &mut buffer) else { continue };
            let counts =
                [&layout.main_input, &layout.main_output].map(|port| port.as_ref().map(|p| p.channel_count));
            if counts == [Some(channels); 2] {
                return layouts.select(&handle, layout.id).map_err(|error| anyhow!("{error}"));
            }
        }
        anyhow::bail!("the plugin has no layout of {channels} channels")
    }

    /// Activates the plugin and starts processing. Deactivates it first if it is active.
    ///
    /// # Errors
    /// When the plugin refuses.
    pub fn activate(&mut self, sample_rate_hz: f64, max_block: u32) -> Result<()> {
        self.deactivate();
        let (channels, _) = self.channels();
        let configuration = PluginAudioConfiguration {
            sample_rate: sample_rate_hz,
            min_frames_count: 1,
            max_frames_count: max_block,
        };
        let stopped = self
            .plugin
            .activate(|_, _| (), configuration)
            .map_err(|error| anyhow!("the plugin cannot be activated at {sample_rate_hz} Hz: {error}"))?;
        let processor =
            stopped.start_processing().map_err(|error| anyhow!("processing cannot start: {error}"))?;
        self.audio = Some(Audio {
            processor,
            inputs: AudioPorts::with_capacity(channels as usize, 1),
            outputs: AudioPorts::with_capacity(channels as usize, 1),
            input: vec![vec![0.0; max_block as usize]; channels as usize],
            output: vec![vec![0.0; max_block as usize]; channels as usize],
            changes: Vec::with_capacity(64),
            // Room for all that the plugin tells in a block, so that the callback never waits for memory of ours.
            sent: EventBuffer::with_capacity(256),
            told: Vec::new(),
        });
        Ok(())
    }

    /// Stops processing and deactivates the plugin, if it is active.
    pub fn deactivate(&mut self) {
        if let Some(audio) = self.audio.take() {
            self.plugin.deactivate(audio.processor.stop_processing());
        }
    }

    /// Stops processing and starts it again, as some hosts do around every block.
    ///
    /// # Errors
    /// When the plugin is not active, or refuses.
    pub fn restart(&mut self) -> Result<()> {
        let mut audio = self.audio.take().context("the plugin is not active")?;
        let stopped = audio.processor.stop_processing();
        audio.processor =
            stopped.start_processing().map_err(|error| anyhow!("processing cannot start: {error}"))?;
        self.audio = Some(audio);
        Ok(())
    }

    /// The part for the audio thread.
    ///
    /// # Errors
    /// When the plugin is not active.
    pub fn audio(&mut self) -> Result<&mut Audio> {
        self.audio.as_mut().context("the plugin is not active")
    }

    /// Tells the plugin whether blocks come as fast as it takes them, as in a render, or in real time.
    ///
    /// # Errors
    /// When the plugin has no render mode, or refuses.
    pub fn set_offline(&mut self, is_offline: bool) -> Result<()> {
        let handle = self.plugin.plugin_handle();
        let render = handle.get_extension::<PluginRender>().context("the plugin has no render mode")?;
        let mode = if is_offline { RenderMode::Offline } else { RenderMode::Realtime };
        render.set(&handle, mode).map_err(|error| anyhow!("{error}"))
    }

    /// Latency in samples, as the plugin reports it.
    pub fn latency(&mut self) -> u32 {
        let handle = self.plugin.plugin_handle();
        handle.get_extension::<PluginLatency>().map_or(0, |latency| latency.get(&handle))
    }

    /// All parameters.
    pub fn parameters(&mut self) -> Vec<Parameter> {
        let handle = self.plugin.plugin_handle();
        let Some(parameters) = handle.get_extension::<PluginParams>() else { return Vec::new() };
        let mut buffer = ParamInfoBuffer::new();
        let mut all = Vec::new();
        for index in 0..parameters.count(&handle) {
            let Some(info) = parameters.get_info(&handle, index, &mut buffer) else { continue };
            let (id, range) = (info.id, (info.min_value, info.max_value, info.default_value));
            let name = String::from_utf8_lossy(info.name).into_owned();
            let is_read_only = info.flags.contains(ParamInfoFlags::IS_READONLY);
            let is_automatable =
                info.flags.intersects(ParamInfoFlags::IS_AUTOMATABLE | ParamInfoFlags::IS_MODULATABLE);
            let value = parameters.get_value(&handle, id).unwrap_or(f64::NAN);
            let mut text = [0; 128];
            let text = parameters.value_to_text(&handle, id, value, &mut text);
            let text = text.map_or(String::new(), |text| String::from_utf8_lossy(text).into_owned());
            all.push(Parameter { id, name, range, value, text, is_read_only, is_automatable });
        }
        all
    }

    /// The pages of knobs that the plugin suggests: names and parameters.
    pub fn remote_pages(&mut self) -> Vec<(String, Vec<ClapId>)> {
        let handle = self.plugin.plugin_handle();
        let Some(pages) = handle.get_extension::<PluginRemoteControls>() else { return Vec::new() };
        let mut all = Vec::new();
        for index in 0..pages.count(&handle) {
            let mut buffer = RemoteControlsPageBuffer::new();
            let Some(page) = pages.get(&handle, index, &mut buffer) else { continue };
            let name = String::from_utf8_lossy(page.page_name).into_owned();
            all.push((name, page.param_ids.into_iter().flatten().collect()));
        }
        all
    }

    /// How often the plugin has marked the project as modified.
    pub fn modified(&mut self) -> usize {
        self.plugin.access_handler(|main_thread| main_thread.modified.get())
    }

    /// The plugin's state, as a host saves it with the project.
    ///
    /// # Errors
    /// When the plugin cannot save.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let handle = self.plugin.plugin_handle();
        let state = handle.get_extension::<PluginState>().context("the plugin has no state")?;
        let mut bytes = Vec::new();
        state.save(&handle, &mut bytes)?;
        Ok(bytes)
    }

    /// Restores a state.
    ///
    /// # Errors
    /// When the plugin reports that it could not.
    pub fn restore(&mut self, mut bytes: &[u8]) -> Result<()> {
        let handle = self.plugin.plugin_handle();
        let state = handle.get_extension::<PluginState>().context("the plugin has no state")?;
        state.load(&handle, &mut bytes)?;
        self.run_callbacks();
        Ok(())
    }

    /// Calls the plugin back on the main thread if it has asked for it. Call it regularly.
    pub fn run_callbacks(&mut self) {
        let wanted = |shared: &Shared| shared.callback_wanted.swap(false, Ordering::AcqRel);
        if self.plugin.access_shared_handler(wanted) {
            self.plugin.call_on_main_thread_callback();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.deactivate();
    }
}

/// The audio thread's half of an active instance.
pub struct Audio {
    processor: StartedPluginAudioProcessor<Host>,
    inputs: AudioPorts,
    outputs: AudioPorts,
    input: Vec<Vec<f32>>,
    output: Vec<Vec<f32>>,
    changes: Vec<ParamValueEvent>,
    sent: EventBuffer,
    told: Vec<Told>,
}

impl Audio {
    /// The output before each call, so that a block that the plugin did not write is noticed.
    pub const UNWRITTEN: f32 = -123_456.0;

    /// Tells the plugin to forget the audio so far.
    pub fn reset(&mut self) {
        self.processor.reset();
    }

    /// Sets the plain value of a parameter with the next block.
    pub fn set_parameter(&mut self, id: ClapId, value: f64) {
        self.changes.push(ParamValueEvent::new(0, id, Pckn::match_all(), value));
    }

    /// What the plugin has told of its parameters since the last call.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Plays one block, one slice per channel, and returns the output, as long as the block. `transport` is none for a
    /// host without one.
    ///
    /// # Errors
    /// When channels or lengths differ from those that the plugin was activated for, or it reports an error.
    pub fn play(&mut self, block: &[&[f32]], transport: Option<Transport>) -> Result<Vec<&[f32]>> {
        self.prepare(block)?;
        let frames = block.first().map_or(0, |channel| channel.len());
        self.call(frames, transport)?;
        self.changes.clear();
        let told = self.sent.iter().filter_map(|event| {
            let change = event.as_event::<ParamValueEvent>()?;
            let is_for_recording = !event.header().flags().contains(EventFlags::DONT_RECORD);
            Some(Told { id: change.param_id()?, value: change.value(), is_for_recording })
        });
        self.told.extend(told);
        Ok(self.output.iter().map(|channel| &channel[..frames]).collect())
    }

    /// Copies a block in and marks the output as not written.
    ///
    /// # Errors
    /// When channels or lengths differ from those that the plugin was activated for.
    pub fn prepare(&mut self, block: &[&[f32]]) -> Result<()> {
        ensure!(block.len() == self.input.len(), "{} channels for {}", block.len(), self.input.len());
        for ((from, to), output) in block.iter().zip(&mut self.input).zip(&mut self.output) {
            ensure!(from.len() <= to.len(), "a block of {} is longer than {}", from.len(), to.len());
            to[..from.len()].copy_from_slice(from);
            output[..from.len()].fill(Self::UNWRITTEN);
        }
        self.sent.clear();
        Ok(())
    }

    /// Only the call of the plugin's `process` on the prepared block: nothing else in it allocates, locks or waits.
    ///
    /// # Errors
    /// When the plugin reports an error.
    pub fn call(&mut self, frames: usize, transport: Option<Transport>) -> Result<ProcessStatus> {
        let event = transport.map(Transport::event);
        let inputs = self.inputs.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                self.input.iter_mut().map(|channel| InputChannel::variable(&mut channel[..frames])),
            ),
        }]);
        let mut outputs = self.outputs.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(
                self.output.iter_mut().map(|channel| &mut channel[..frames]),
            ),
        }]);
        let changes = InputEvents::from_buffer(&self.changes);
        let mut sent = OutputEvents::from_buffer(&mut self.sent);
        self.processor
            .process(&inputs, &mut outputs, &changes, &mut sent, None, event.as_ref())
            .map_err(|error| anyhow!("the plugin's process failed: {error}"))
    }
}
