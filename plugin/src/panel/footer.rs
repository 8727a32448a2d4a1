//! The bar at the bottom: the model, its device and its cost.

use super::actions::{Action, perform, tip};
use super::controls::Controls;
use super::theme::{Palette, SMALL_PT};
use super::{state::PanelState, widgets};
use crate::view::{ModelStatus, View};
use egui::{Align, Button, FontId, Layout, TextStyle, Ui, vec2};

/// Width of the window's resize grip at the right, in points.
const GRIP_PT: f32 = 10.0;

/// Draws the bar.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let own_model = view.choices.model_path.is_some();
    let labels: &[&str] =
        if own_model { &["Keys", "Built-in", "Choose model…"] } else { &["Keys", "Choose model…"] };
    ui.style_mut().text_styles.insert(TextStyle::Body, FontId::proportional(SMALL_PT));
    ui.horizontal(|ui| {
        let room =
            ui.available_width() - widgets::buttons_width(ui, labels) - ui.spacing().item_spacing.x - GRIP_PT;
        ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(room);
            if view.model.dropped_s > 0.0 {
                let dropped = format!("{:.1} s dropped", view.model.dropped_s);
                let why = "Audio arrived faster than it could be read. Windows with missing audio are not analyzed.";
                widgets::remark_in_one_line(ui, dropped, colours.error).on_hover_text(why);
            }
            let status = status(view.version, &view.model);
            widgets::remark_in_one_line(ui, &status, colours.dim).on_hover_text(status);
        });
        let keys = ui.add(Button::new("Keys").selected(state.keys_open));
        if keys.on_hover_text(tip(Action::Keys, "What the keys do")).clicked() {
            perform(Action::Keys, ui.ctx(), view, state, controls);
        }
        if own_model {
            let own = ui.add(Button::new("Built-in"));
            let about = "Use the model that comes with the plugin";
            if own.on_hover_text(tip(Action::BuiltInModel, about)).clicked() {
                perform(Action::BuiltInModel, ui.ctx(), view, state, controls);
            }
        }
        let model = ui.add(Button::new("Choose model…").selected(state.models.is_open));
        if model.on_hover_text(tip(Action::Model, "The built-in model, a larger one, or a file")).clicked() {
            perform(Action::Model, ui.ctx(), view, state, controls);
        }
    });
}

/// "MixingBuddy 0.5.0 · compact 0.1.0 · CPU · 412 ms per window".
fn status(version: &str, model: &ModelStatus) -> String {
    let mut parts = Vec::new();
    if !version.is_empty() {
        parts.push(format!("MixingBuddy {version}"));
    }
    if model.name.is_empty() {
        parts.push("no model loaded".to_string());
        return parts.join(" · ");
    }
    parts.push(model.name.clone());
    parts.extend(model.device.map(|device| device.to_string()));
    if let Some(window_ms) = model.window_ms.filter(|window_ms| window_ms.is_finite()) {
        parts.push(format!("{window_ms:.0} ms per window"));
    }
    parts.join(" · ")
}
