//! Scenes of the panel, drawn without a window: for tests and for pictures.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod scenes;
pub mod song;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mixing_buddy::panel::{self, Controls, PanelState};
use mixing_buddy::settings::{Hop, Settings};
use mixing_buddy::view::{Command, View};
use scenes::Scene;

/// A call of the panel.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    Send(Command),
    Bypass(bool),
    BeginThreshold,
    Threshold(f32),
    EndThreshold,
    Hop(Hop),
}

/// Stands for the host and the worker: records the calls in order.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub settings: Settings,
    pub calls: Vec<Call>,
}

impl Controls for Recorder {
    fn settings(&self) -> Settings {
        self.settings
    }

    fn send(&mut self, command: Command) {
        self.calls.push(Call::Send(command));
    }

    fn set_bypass(&mut self, bypass: bool) {
        self.settings.bypass = bypass;
        self.calls.push(Call::Bypass(bypass));
    }

    fn begin_threshold(&mut self) {
        self.calls.push(Call::BeginThreshold);
    }

    fn set_threshold(&mut self, threshold: f32) {
        self.settings.confidence_threshold = threshold;
        self.calls.push(Call::Threshold(threshold));
    }

    fn end_threshold(&mut self) {
        self.calls.push(Call::EndThreshold);
    }

    fn set_hop(&mut self, hop: Hop) {
        self.settings.hop = hop;
        self.calls.push(Call::Hop(hop));
    }
}

/// The panel with its view, its state and its host.
pub struct Stage {
    pub view: View,
    pub state: PanelState,
    pub recorder: Recorder,
}

impl Stage {
    /// The commands that the panel sent.
    pub fn sent(&self) -> Vec<Command> {
        let sent = |call: &Call| match call {
            Call::Send(command) => Some(command.clone()),
            _ => None,
        };
        self.recorder.calls.iter().filter_map(sent).collect()
    }
}

/// Draws a scene at its size and scale.
pub fn stage(scene: Scene) -> Harness<'static, Stage> {
    // The toolkit's points are the platform's, before the panel's scale.
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
                // The panel fills the window, as in a host, without the margin of the harness.
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
