//! The bar at the top: what the plugin is doing, and commands for the advice and the panel.

use super::actions::{Action, is_possible, perform, tip};
use super::controls::Controls;
use super::state::{PanelState, Track};
use super::theme::{self, Palette};
use super::widgets::{self, bar};
use super::words;
use crate::settings::{SCALES_PERCENT, Settings, Theme};
use crate::view::{Activity, View};
use egui::{Align, Button, Color32, Label, Layout, RichText, Sense, StrokeKind, Ui, pos2, vec2};

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
            if let Some(one) = state.track.as_ref().filter(|one| !one.name.trim().is_empty()) {
                track(ui, colours, one);
            }
        }
        let labels = ["Copy", "Report…", "Look", "Bypass"];
        let room = ui.available_width() - widgets::buttons_width(ui, &labels) - ui.spacing().item_spacing.x;
        ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
            activity(ui, colours, view, room);
        });
        widgets::at_right(ui, &labels, |ui| {
            let copy = ui.add_enabled(is_possible(Action::Copy, view, state), Button::new("Copy"));
            if copy
                .on_hover_text(tip(Action::Copy, "Copy the advice as text; with Shift, as Markdown"))
                .clicked()
            {
                let shift = ui.input(|input| input.modifiers.shift);
                let action = if shift { Action::CopyMarkdown } else { Action::Copy };
                perform(action, ui.ctx(), view, state, controls);
            }
            let report = ui.add(Button::new("Report…"));
            let about = "Save all advice as a page for browsers, Markdown and JSON";
            if report.on_hover_text(tip(Action::Report, about)).clicked() {
                perform(Action::Report, ui.ctx(), view, state, controls);
            }
            let look = ui.add(Button::new("Look").selected(state.look_open));
            if look.on_hover_text(tip(Action::Look, "Theme and size")).clicked() {
                perform(Action::Look, ui.ctx(), view, state, controls);
            }
            let bypass = ui.add(Button::new("Bypass").selected(settings.bypass));
            let mut about = tip(Action::Bypass, "Pause the analysis. Audio passes through either way.");
            if let Some(words) = state.indications.bypass.words() {
                about = format!("{about}\n{words}");
            }
            if bypass.on_hover_text(about).clicked() {
                perform(Action::Bypass, ui.ctx(), view, state, controls);
            }
        });
    });
}

/// The host's track: its colour, and its name.
fn track(ui: &mut Ui, colours: &Palette, track: &Track) {
    /// Width of the name at most, in points.
    const NAME_PT: f32 = 120.0;
    if let Some([red, green, blue]) = track.colour_rgb {
        let (rect, _) = ui.allocate_exact_size(vec2(9.0, 9.0), Sense::hover());
        ui.painter().rect_filled(rect, 2, Color32::from_rgb(red, green, blue));
        // Some tracks have the colour of the background.
        ui.painter().rect_stroke(rect, 2, (1.0, colours.dim), StrokeKind::Inside);
    }
    ui.scope(|ui| {
        ui.set_max_width(NAME_PT);
        let name = RichText::new(track.name.trim()).color(colours.text);
        ui.add(Label::new(name).selectable(false).truncate())
            .on_hover_text("The track, as the host names it");
    });
    ui.add_space(6.0);
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
