//! The editor: opens the panel in the host's window and passes the panel's commands to host and worker. Window thread.

use crate::audition::Switch;
use crate::panel::models::Models;
use crate::panel::program::Program;
use crate::panel::{self, Automation, Controls, Indication, Indications, KeyUse, PanelState, Track};
use crate::params::{HopParam, MixParams};
use crate::platform;
use crate::settings::{Hop, MIN_SIZE_PT, PanelSettings, Settings};
use crate::view::{Command, View};
use crate::worker::Commands;
use arc_swap::{ArcSwap, ArcSwapOption};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, NativeSize};
use nice_plug::editor::{HostMethods, SpawnedEditor};
use nice_plug::prelude::*;
use nice_plug_egui::{
    EguiEditorHandle, EguiEditorState, EguiNiceSettings, Frame, Key, KeyCapture, NiceEguiApp,
    RepaintNotifier, baseview, create_egui_editor,
};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// While the window is open, the panel draws the newest view this often.
const REDRAW_EVERY: Duration = Duration::from_millis(50);

/// Opens editor windows. The panel's own state outlives them, so closing and reopening a window loses nothing.
pub struct PanelEditor {
    params: Arc<MixParams>,
    view: Arc<ArcSwap<View>>,
    commands: Commands,
    audition: Arc<Switch>,
    state: Arc<Mutex<PanelState>>,
    /// What the host says of the track, whether the window is open or not.
    track: Arc<ArcSwapOption<Track>>,
    /// What the host says of the parameters.
    indications: Arc<ArcSwap<Indications>>,
}

impl PanelEditor {
    /// An editor for one instance.
    pub fn new(
        params: Arc<MixParams>,
        view: Arc<ArcSwap<View>>,
        commands: Commands,
        audition: Arc<Switch>,
    ) -> Self {
        let models = Models::new(Program::Installed, platform::library_path());
        let state = Arc::new(Mutex::new(PanelState { models, ..PanelState::default() }));
        PanelEditor {
            params,
            view,
            commands,
            audition,
            state,
            track: Arc::default(),
            indications: Arc::default(),
        }
    }
}

impl Editor for PanelEditor {
    type Handle = EguiEditorHandle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<EguiEditorHandle>, Box<dyn Error>> {
        let saved = self.params.project.panel();
        // The panel scales itself: the toolkit's zoom stays at 1.
        let state = EguiEditorState::from_size(logical(saved), 1.0);
        let [least_width, least_height] = MIN_SIZE_PT;
        let settings = EguiNiceSettings::new().with_tile("MixingBuddy").with_resize_hint(
            ResizeHint::resizable().with_min_logical_size(LogicalSize::new(least_width, least_height)),
        );
        let app = PanelApp {
            params: self.params.clone(),
            view: self.view.clone(),
            commands: self.commands.clone(),
            audition: self.audition.clone(),
            state: self.state.clone(),
            track: self.track.clone(),
            indications: self.indications.clone(),
            context: None,
            changes: self.params.project.changes(),
        };
        let editor = create_egui_editor(state, RepaintNotifier::new(), settings, app)
            .ok_or("the window toolkit cannot create an editor")?;
        editor.spawn(parent, wait_for_parent, fallback_scale_factor, gui_context, host)
    }

    fn size(&self) -> NativeSize<u32> {
        NativeSize::from_size(logical(self.params.project.panel()).into(), 1.0)
    }

    fn resize_hint(&self) -> ResizeHint {
        let [width, height] = MIN_SIZE_PT;
        ResizeHint::resizable().with_min_logical_size(LogicalSize::new(width, height))
    }

    fn track_info_updated(&self, info: TrackInfo) {
        let colour_rgb = info.color().map(TrackColor::rgba).map(|(red, green, blue, _)| [red, green, blue]);
        self.track.store(Some(Arc::new(Track { name: info.name().to_string(), colour_rgb })));
    }

    fn param_indicated(&self, param_id: &str, indication: ParamIndication) {
        self.indications.rcu(|indications| {
            let mut indications = Indications::clone(indications);
            match param_id {
                "bypass" => indicate(&mut indications.bypass, &indication),
                "sensitivity" => indicate(&mut indications.threshold, &indication),
                "hop" => indicate(&mut indications.hop, &indication),
                // The readings are not in the panel as parameters.
                _ => {}
            }
            indications
        });
    }
}

/// What changes in an indication of the panel.
fn indicate(to: &mut Indication, from: &ParamIndication) {
    match from {
        ParamIndication::Mapping(mapping) => {
            to.mapped_to = mapping.as_ref().map(|mapping| match mapping.description.is_empty() {
                true if mapping.label.is_empty() => "mapped to a controller".into(),
                true => mapping.label.clone(),
                false => mapping.description.clone(),
            });
        }
        ParamIndication::Automation(automation) => {
            to.automation = match automation {
                ParamAutomation::None => Automation::None,
                ParamAutomation::Present => Automation::Present,
                ParamAutomation::Playing => Automation::Playing,
                ParamAutomation::Recording => Automation::Recording,
                ParamAutomation::Overriding => Automation::Overriding,
            };
        }
    }
}

fn logical(panel: PanelSettings) -> LogicalSize<f32> {
    LogicalSize::new(panel.size_pt.0, panel.size_pt.1)
}

/// The panel in an open window.
struct PanelApp {
    params: Arc<MixParams>,
    view: Arc<ArcSwap<View>>,
    commands: Commands,
    audition: Arc<Switch>,
    state: Arc<Mutex<PanelState>>,
    track: Arc<ArcSwapOption<Track>>,
    indications: Arc<ArcSwap<Indications>>,
    context: Option<GuiContext>,
    /// [`ProjectState::changes`](crate::state::ProjectState::changes) that the host knows of.
    changes: u64,
}

impl NiceEguiApp for PanelApp {
    fn build(
        &mut self,
        egui_context: egui::Context,
        gui_context: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), baseview::HandlerError> {
        panel::install(&egui_context);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).look = self.params.project.panel().look;
        self.context = Some(gui_context);
        self.audition.set_open(true);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view.load_full();
        state.track = self.track.load().as_deref().cloned();
        state.indications = Indications::clone(&self.indications.load());
        let mut controls =
            HostControls { params: &self.params, commands: &self.commands, context: self.context.as_ref() };
        panel::show(ui, &view, &mut state, &mut controls);
        frame.set_key_capture(match panel::key_use(ui.ctx()) {
            KeyUse::Everything => KeyCapture::CaptureAll,
            KeyUse::Navigation => KeyCapture::CaptureKeys(navigation_keys()),
            KeyUse::Nothing => KeyCapture::IgnoreAll,
        });
        let changes = self.params.project.changes();
        if changes != self.changes
            && let Some(context) = &self.context
        {
            self.changes = changes;
            context.mark_state_dirty();
        }
        let saved = self.params.project.panel();
        if saved.look != state.look {
            self.params.project.set_panel(PanelSettings { look: state.look, ..saved });
        }
        ui.ctx().request_repaint_after(REDRAW_EVERY);
    }

    fn resized(&mut self, new_size: baseview::WindowSize) {
        let size = new_size.logical;
        let saved = self.params.project.panel();
        self.params
            .project
            .set_panel(PanelSettings { size_pt: (size.width as f32, size.height as f32), ..saved });
    }

    fn editor_closed(&mut self) {
        self.context = None;
        self.audition.set_open(false);
    }
}

impl Drop for PanelApp {
    /// However the window goes, nobody must hear an audition without it.
    fn drop(&mut self) {
        self.audition.set_open(false);
    }
}

/// The keys that the panel uses while a button has the focus, by the window toolkit's names. Both use the W3C's names; a
/// character is itself, with Shift and without.
fn navigation_keys() -> Vec<Key> {
    panel::keys::navigation().flat_map(names_of).collect()
}

fn names_of(key: egui::Key) -> Vec<Key> {
    match key.name() {
        character if character.chars().count() == 1 => {
            vec![Key::Character(character.to_lowercase()), Key::Character(character.to_uppercase())]
        }
        _ => format!("{key:?}").parse().into_iter().collect(),
    }
}

/// The panel's connection to host and worker.
struct HostControls<'a> {
    params: &'a MixParams,
    commands: &'a Commands,
    context: Option<&'a GuiContext>,
}

impl HostControls<'_> {
    fn setting(&self, set: impl FnOnce(&ParamSetter<'_>)) {
        if let Some(context) = self.context {
            set(&context.param_setter());
        }
    }
}

impl Controls for HostControls<'_> {
    fn settings(&self) -> Settings {
        self.params.settings()
    }

    fn send(&mut self, command: Command) {
        self.commands.send(command);
    }

    fn set_bypass(&mut self, bypass: bool) {
        self.setting(|setter| {
            setter.begin_set_parameter(&self.params.bypass);
            setter.set_parameter(&self.params.bypass, bypass);
            setter.end_set_parameter(&self.params.bypass);
        });
    }

    fn begin_threshold(&mut self) {
        self.setting(|setter| setter.begin_set_parameter(&self.params.confidence_threshold));
    }

    fn set_threshold(&mut self, threshold: f32) {
        self.setting(|setter| setter.set_parameter(&self.params.confidence_threshold, threshold));
    }

    fn end_threshold(&mut self) {
        self.setting(|setter| setter.end_set_parameter(&self.params.confidence_threshold));
    }

    fn set_hop(&mut self, hop: Hop) {
        let hop = HopParam::from(hop);
        self.setting(|setter| {
            setter.begin_set_parameter(&self.params.hop);
            setter.set_parameter(&self.params.hop, hop);
            setter.end_set_parameter(&self.params.hop);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_toolkit_knows_the_name_of_every_navigation_key() {
        for key in panel::keys::navigation() {
            assert!(!names_of(key).is_empty(), "{key:?}");
        }
        let names = navigation_keys();
        for name in ["h", "H", "0"] {
            assert!(names.contains(&Key::Character(name.into())), "{name}");
        }
    }
}
