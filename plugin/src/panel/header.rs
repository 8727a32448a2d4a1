//! The bar at the top: what the plugin is doing, and commands for the advice and the panel.

use super::clipboard::{self, Form};
use super::controls::Controls;
use super::path_box::{PathBox, Purpose};
use super::state::PanelState;
use super::theme::{self, Palette};
use super::widgets::{self, bar};
use super::words;
use crate::settings::{SCALES_PERCENT, Settings, Theme};
use crate::view::{Activity, View};
use egui::{Align, Button, Label, Layout, RichText, Sense, Ui, pos2, vec2};

/// Below this width the bar leaves out the name of the plugin, in points.
const NAME_FROM_PT: f32 = 500.0;

/// Below this width next to the buttons the bar shows the state as text only, in points.
const BAR_FROM_PT: f32 = 160.0;

/// Draws the bar.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    settings: Settings,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let wide = ui.available_width() >= NAME_FROM_PT;
    ui.horizontal(|ui| {
        if wide {
            let name = RichText::new("MixingBuddy").font(theme::strong_font(13.5)).color(colours.strong);
            ui.add(Label::new(name).selectable(false));
            ui.add_space(6.0);
        }
        let labels = ["Copy", "Report…", "Look", "Bypass"];
        let room = ui.available_width() - widgets::buttons_width(ui, &labels) - ui.spacing().item_spacing.x;
        ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
            activity(ui, colours, view, room);
        });
        widgets::at_right(ui, &labels, |ui| {
            let copy = ui.add_enabled(view.newest.is_some(), Button::new("Copy"));
            if copy.on_hover_text("Copy the advice as text; with Shift, as Markdown").clicked() {
                let form = if ui.input(|input| input.modifiers.shift) { Form::Markdown } else { Form::Text };
                ui.ctx().copy_text(clipboard::advice(view, form));
            }
            let report = ui.add(Button::new("Report…"));
            if report.on_hover_text("Save all advice as Markdown and JSON").clicked() {
                state.path_box = Some(PathBox::open(Purpose::Report, &state.dialogs));
            }
            let look = ui.add(Button::new("Look").selected(state.look_open));
            if look.on_hover_text("Theme and size").clicked() {
                state.look_open = !state.look_open;
            }
            let bypass = ui.add(Button::new("Bypass").selected(settings.bypass));
            if bypass.on_hover_text("Pause the analysis. Audio passes through either way.").clicked() {
                controls.set_bypass(!settings.bypass);
            }
        });
    });
}

/// A lamp, the state as text, and how much of a window is filled.
fn activity(ui: &mut Ui, colours: &Palette, view: &View, room_pt: f32) {
    let (lamp, part) = match &view.activity {
        Activity::Filling { filled_s } => (colours.good, Some((filled_s / 10.0).clamp(0.0, 1.0))),
        Activity::CatchingUp { .. } => (colours.accent, None),
        Activity::Loading => (colours.accent, None),
        Activity::NoModel | Activity::Obstructed(_) => (colours.error, None),
        Activity::Waiting | Activity::Paused | Activity::Bypassed => (colours.dim, None),
    };
    let (rect, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
    match &view.activity {
        // Two bars for a pause, so that the state does not depend on colour alone.
        Activity::Paused => {
            for x in [rect.left() + 1.5, rect.right() - 1.5] {
                ui.painter().line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], (2.5, lamp));
            }
        }
        Activity::Waiting | Activity::Bypassed => {
            ui.painter().circle_stroke(rect.center(), 3.5, (1.5, lamp));
        }
        _ => {
            ui.painter().circle_filled(rect.center(), 4.0, lamp);
        }
    }
    let text = RichText::new(words::activity(view)).color(colours.dim);
    ui.add(Label::new(text).selectable(false).truncate());
    if let Some(part) = part.filter(|_| room_pt >= BAR_FROM_PT) {
        let (rect, _) = ui.allocate_exact_size(vec2(44.0, 3.0), Sense::hover());
        bar(ui, rect, part, colours.band, lamp);
    }
}

/// Theme and size, shown by "Look".
pub(super) fn look(ui: &mut Ui, colours: &Palette, state: &mut PanelState) {
    ui.horizontal_wrapped(|ui| {
        widgets::title(ui, colours, "Theme");
        for (theme, label) in [(Theme::Dark, "Dark"), (Theme::Light, "Light")] {
            if ui.add(Button::new(label).selected(state.look.theme == theme)).clicked() {
                state.look.theme = theme;
            }
        }
        ui.add_space(12.0);
        widgets::title(ui, colours, "Size");
        for percent in SCALES_PERCENT {
            let on = state.look.scale_percent == percent;
            if ui.add(Button::new(format!("{percent} %")).selected(on)).clicked() {
                state.look.scale_percent = percent;
            }
        }
    });
}
