//! What the user tells about the mix, and how the analysis works.

use super::actions::{Action, SAME_THRESHOLD, change_threshold, is_possible, perform, stems_in_mix, tip};
use super::controls::Controls;
use super::state::{Indication, PanelState};
use super::theme::Palette;
use super::{widgets, words};
use crate::settings::{Hop, Settings};
use crate::view::{Command, View};
use egui::{Button, Slider, SliderClamping, StrokeKind, Ui, vec2};
use mixing_buddy_core::Stem;

/// Extra space above each option, in points.
const GAP_PT: f32 = 3.0;

/// Draws anchor, stems, confidence threshold and hop.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    settings: Settings,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    ui.add_space(GAP_PT);
    anchor(ui, colours, view, controls);
    ui.add_space(GAP_PT);
    stems(ui, colours, view, state, controls);
    ui.add_space(GAP_PT);
    threshold(ui, colours, view, settings, state, controls);
    ui.add_space(GAP_PT);
    hop(ui, colours, settings, state, controls);
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

fn stems(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    widgets::section_with_buttons(ui, colours, "In the mix", &["Detect"], |ui| {
        let is_detected = view.choices.stems.is_none();
        let button = ui.add(Button::new("Detect").selected(is_detected));
        let about = "Detect the stems automatically";
        if button.on_hover_text(tip(Action::DetectStems, about)).clicked() && !is_detected {
            perform(Action::DetectStems, ui.ctx(), view, state, controls);
        }
    });
    let shown = stems_in_mix(view);
    let pressed = widgets::choice_row(
        ui,
        &Stem::ALL,
        words::title,
        |stem| shown[stem],
        |stem| format!("In the mix: {stem}"),
    );
    if let Some(stem) = pressed {
        perform(Action::Stem(stem), ui.ctx(), view, state, controls);
    }
}

fn threshold(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    settings: Settings,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    widgets::section_with_buttons(ui, colours, "Confidence threshold", &["Default"], |ui| {
        let default = view.model.threshold;
        let is_default = (default - settings.confidence_threshold).abs() < SAME_THRESHOLD;
        let is_possible = is_possible(Action::OwnThreshold, view, state);
        let button = ui.add_enabled(is_possible, Button::new("Default").selected(is_default));
        let about = format!("The model's own threshold: {}", words::percent(default));
        if button.on_hover_text(tip(Action::OwnThreshold, &about)).clicked() {
            perform(Action::OwnThreshold, ui.ctx(), view, state, controls);
        }
    });
    indication(ui, colours, &state.indications.threshold);
    let mut value = settings.confidence_threshold.clamp(0.0, 1.0);
    ui.horizontal(|ui| {
        let label = ui.label(words::percent(value));
        ui.spacing_mut().slider_width = ui.available_width();
        // A value between two steps, which a host can set, stays as it is until the user moves the slider.
        let slider = Slider::new(&mut value, 0.0..=1.0).step_by(0.01).clamping(SliderClamping::Edits);
        let slider = ui.add(slider.show_value(false));
        let slider = slider
            .labelled_by(label.id)
            .on_hover_text("Higher: less advice, more often right. Lower: more advice, more often wrong.");
        if slider.has_focus() {
            let ring = slider.rect.expand2(vec2(3.0, 1.0));
            ui.painter().rect_stroke(ring, 4, (2.0, colours.accent), StrokeKind::Inside);
        }
        if slider.drag_started() {
            state.threshold_before = Some(settings.confidence_threshold);
            controls.begin_threshold();
        }
        if slider.changed() {
            // A key or a click changes the value without a drag: a gesture of its own.
            if slider.dragged() || slider.drag_stopped() {
                controls.set_threshold(value);
            } else {
                change_threshold(controls, value);
            }
        }
        if slider.drag_stopped() {
            controls.end_threshold();
            if let Some(before) = state.threshold_before.take() {
                controls.send(Command::ThresholdWas(before));
            }
        }
    });
}

/// What the host does with a parameter, below its title.
fn indication(ui: &mut Ui, colours: &Palette, indication: &Indication) {
    if let Some(words) = indication.words() {
        widgets::remark_in_one_line(ui, words, colours.accent);
    }
}

fn hop(ui: &mut Ui, colours: &Palette, settings: Settings, state: &PanelState, controls: &mut dyn Controls) {
    widgets::section(ui, colours, "Analyze every", |ui| {
        widgets::remark_in_one_line(ui, "in windows of 10 s", colours.dim);
    });
    indication(ui, colours, &state.indications.hop);
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
