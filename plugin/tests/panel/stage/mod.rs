//! Scenes of the panel, drawn without a window: for the panel's tests and for its pictures.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod scenes;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mixing_buddy::panel::{self, Controls, Hop, PanelState, Params};
use mixing_buddy::view::{Command, View};
use scenes::Scene;

/// What the panel asked for, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    Send(Command),
    Bypass(bool),
    BeginSensitivity,
    Sensitivity(f32),
    EndSensitivity,
    Hop(Hop),
}

/// Stands for the host and the worker: writes down what is asked.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub params: Params,
    pub calls: Vec<Call>,
}

impl Controls for Recorder {
    fn params(&self) -> Params {
        self.params
    }

    fn send(&mut self, command: Command) {
        self.calls.push(Call::Send(command));
    }

    fn set_bypass(&mut self, bypass: bool) {
        self.params.bypass = bypass;
        self.calls.push(Call::Bypass(bypass));
    }

    fn begin_sensitivity(&mut self) {
        self.calls.push(Call::BeginSensitivity);
    }

    fn set_sensitivity(&mut self, sensitivity: f32) {
        self.params.sensitivity = sensitivity;
        self.calls.push(Call::Sensitivity(sensitivity));
    }

    fn end_sensitivity(&mut self) {
        self.calls.push(Call::EndSensitivity);
    }

    fn set_hop(&mut self, hop: Hop) {
        self.params.hop = hop;
        self.calls.push(Call::Hop(hop));
    }
}

/// The panel with everything that is around it.
pub struct Stage {
    pub view: View,
    pub state: PanelState,
    pub recorder: Recorder,
}

impl Stage {
    /// The commands that were sent.
    pub fn sent(&self) -> Vec<Command> {
        let sent = |call: &Call| match call {
            Call::Send(command) => Some(command.clone()),
            _ => None,
        };
        self.recorder.calls.iter().filter_map(sent).collect()
    }
}

/// Puts a scene on a stage of its size and scale.
pub fn stage(scene: Scene) -> Harness<'static, Stage> {
    // The toolkit's own points are those of the platform, before the panel's scale.
    let size = egui::Vec2::from(scene.size_pt) * scene.state.look.scale();
    let focus = scene.focus;
    let stage = Stage { view: scene.view, state: scene.state, recorder: scene.recorder };
    let mut harness = Harness::builder()
        .with_size(size)
        .with_max_steps(12)
        .with_render_cursor(false)
        .with_context_setup(panel::install)
        .build_ui_state(
            |ui, stage: &mut Stage| {
                // The whole window is the panel's, as in a host, without the margin that the harness leaves.
                let window = ui.ctx().content_rect();
                let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(window));
                ui.set_clip_rect(window);
                panel::show(&mut ui, &stage.view, &mut stage.state, &mut stage.recorder);
            },
            stage,
        );
    harness.run_ok();
    if let Some(label) = focus {
        harness.get_by_label_contains(label).focus();
    }
    harness.run_ok();
    harness
}

/// Whether this machine can draw, with a GPU or in software.
pub fn can_draw() -> bool {
    static CAN_DRAW: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *CAN_DRAW.get_or_init(|| {
        let drawn = std::panic::catch_unwind(|| stage(scenes::loading()).render());
        matches!(drawn, Ok(Ok(_)))
    })
}
