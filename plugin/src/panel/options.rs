//! What the user tells about the mix, and how the analysis works.

use super::controls::Controls;
use super::theme::Palette;
use super::{widgets, words};
use crate::settings::{Hop, Settings};
use crate::view::{Command, View};
use egui::{Button, Slider, StrokeKind, Ui, vec2};
use mixing_buddy_core::{PerStem, Stem};

/// Extra space above each option, in points.
const GAP_PT: f32 = 3.0;
/// The threshold counts as the model's own if it differs by less than this: half a step of the slider.
const SAME_THRESHOLD: f32 = 0.005;

/// Draws anchor, stems, confidence threshold and hop.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    settings: Settings,
    controls: &mut dyn Controls,
) {
    ui.add_space(GAP_PT);
    anchor(ui, colours, view, controls);
    ui.add_space(GAP_PT);
    stems(ui, colours, view, controls);
    ui.add_space(GAP_PT);
    threshold(ui, colours, view, settings, controls);
    ui.add_space(GAP_PT);
    hop(ui, colours, settings, controls);
}

fn anchor(ui: &mut Ui, colours: &Palette, view: &View, controls: &mut dyn Controls) {
    widgets::section(ui, colours, "Anchor", |ui| {
        widgets::remark_in_one_line(ui, "a stem whose level is right", colours.dim);
    });
    let options: Vec<Option<Stem>> = std::iter::once(None).chain(Stem::TARGETS.map(Some)).collect();
    let pressed = widgets::choice_row(
        ui,
        &options,
        |anchor| anchor.map_or("None".to_string(), words::title),
        |anchor| anchor == view.choices.anchor,
        |anchor| format!("Anchor: {}", anchor.map_or("none", Stem::name)),
    );
    if let Some(anchor) = pressed {
        controls.send(Command::SetAnchor(anchor));
    }
}

fn stems(ui: &mut Ui, colours: &Palette, view: &View, controls: &mut dyn Controls) {
    widgets::section_with_buttons(ui, colours, "In the mix", &["Detect"], |ui| {
        let is_detected = view.choices.stems.is_none();
        let button = ui.add(Button::new("Detect").selected(is_detected));
        if button.on_hover_text("Detect the stems automatically").clicked() && !is_detected {
            controls.send(Command::SetStems(None));
        }
    });
    let shown = view.choices.stems.unwrap_or_else(|| view.levels_lu.map(Option::is_some));
    let pressed = widgets::choice_row(
        ui,
        &Stem::ALL,
        words::title,
        |stem| shown[stem],
        |stem| format!("In the mix: {stem}"),
    );
    if let Some(stem) = pressed {
        let toggled = PerStem::from_fn(|each| shown[each] != (each == stem));
        controls.send(Command::SetStems(Some(toggled)));
    }
}

fn threshold(ui: &mut Ui, colours: &Palette, view: &View, settings: Settings, controls: &mut dyn Controls) {
    widgets::section_with_buttons(ui, colours, "Confidence threshold", &["Default"], |ui| {
        let default = view.model.threshold;
        let is_default = (default - settings.confidence_threshold).abs() < SAME_THRESHOLD;
        let button = ui.add_enabled(!view.model.name.is_empty(), Button::new("Default").selected(is_default));
        let tip = format!("The model's own threshold: {}", words::percent(default));
        if button.on_hover_text(tip).clicked() && !is_default {
            controls.begin_threshold();
            controls.set_threshold(default);
            controls.end_threshold();
        }
    });
    let mut value = settings.confidence_threshold.clamp(0.0, 1.0);
    ui.horizontal(|ui| {
        let label = ui.label(words::percent(value));
        ui.spacing_mut().slider_width = ui.available_width();
        let slider = ui.add(Slider::new(&mut value, 0.0..=1.0).step_by(0.01).show_value(false));
        let slider = slider
            .labelled_by(label.id)
            .on_hover_text("Higher: less advice, more often right. Lower: more advice, more often wrong.");
        if slider.has_focus() {
            let ring = slider.rect.expand2(vec2(3.0, 1.0));
            ui.painter().rect_stroke(ring, 4, (2.0, colours.accent), StrokeKind::Inside);
        }
        if slider.drag_started() {
            controls.begin_threshold();
        }
        if slider.changed() {
            // A key or a click changes the value without a drag: a gesture of its own.
            let is_own_gesture = !slider.dragged() && !slider.drag_stopped();
            if is_own_gesture {
                controls.begin_threshold();
            }
            controls.set_threshold(value);
            if is_own_gesture {
                controls.end_threshold();
            }
        }
        if slider.drag_stopped() {
            controls.end_threshold();
        }
    });
}

fn hop(ui: &mut Ui, colours: &Palette, settings: Settings, controls: &mut dyn Controls) {
    widgets::section(ui, colours, "Analyze every", |ui| {
        widgets::remark_in_one_line(ui, "in windows of 10 s", colours.dim);
    });
    let pressed = widgets::choice_row(
        ui,
        &Hop::ALL,
        |hop| hop.label().to_string(),
        |hop| hop == settings.hop,
        |hop| format!("Hop: {}", hop.label()),
    );
    if let Some(hop) = pressed
        && hop != settings.hop
    {
        controls.set_hop(hop);
    }
}
