//! What the user says of the mix, and how the advisor is to behave.

use super::controls::{Controls, Hop, Params};
use super::theme::Palette;
use super::{widgets, words};
use crate::view::{Command, View};
use egui::{Button, Slider, StrokeKind, Ui, vec2};
use mixing_buddy_core::{PerStem, Stem};

/// Room above each choice, in points, beside the usual spacing.
const GAP_PT: f32 = 3.0;

/// Draws anchor, stems, sensitivity and hop.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View, params: Params, controls: &mut dyn Controls) {
    ui.add_space(GAP_PT);
    anchor(ui, colours, view, controls);
    ui.add_space(GAP_PT);
    stems(ui, colours, view, controls);
    ui.add_space(GAP_PT);
    sensitivity(ui, colours, view, params, controls);
    ui.add_space(GAP_PT);
    hop(ui, colours, params, controls);
}

fn anchor(ui: &mut Ui, colours: &Palette, view: &View, controls: &mut dyn Controls) {
    widgets::section(ui, colours, "Anchor", |ui| {
        widgets::remark_in_one_line(ui, "a stem that is right", colours.dim);
    });
    let options = [None, Some(Stem::Vocals), Some(Stem::Drums), Some(Stem::Bass)];
    let pressed = widgets::choice_row(
        ui,
        &options,
        |anchor| anchor.map_or("None", words::title),
        |anchor| anchor == view.choices.anchor,
        |anchor| format!("Anchor: {}", anchor.map_or("none", Stem::name)),
    );
    if let Some(anchor) = pressed {
        controls.send(Command::SetAnchor(anchor));
    }
}

fn stems(ui: &mut Ui, colours: &Palette, view: &View, controls: &mut dyn Controls) {
    widgets::section_with_buttons(ui, colours, "In the mix", &["As heard"], |ui| {
        let as_detected = view.choices.stems.is_none();
        let button = ui.add(Button::new("As heard").selected(as_detected));
        if button.on_hover_text("Those that are heard").clicked() && !as_detected {
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
        let turned = PerStem::from_fn(|each| shown[each] != (each == stem));
        controls.send(Command::SetStems(Some(turned)));
    }
}

fn sensitivity(ui: &mut Ui, colours: &Palette, view: &View, params: Params, controls: &mut dyn Controls) {
    widgets::section_with_buttons(ui, colours, "Speaks from", &["Model's own"], |ui| {
        let own = view.model.threshold;
        let is_own = (own - params.sensitivity).abs() < 0.005;
        let button = ui.add_enabled(!view.model.name.is_empty(), Button::new("Model's own").selected(is_own));
        let why = format!("{} sure: measured to be right where it speaks", words::percent(own));
        if button.on_hover_text(why).clicked() && !is_own {
            controls.begin_sensitivity();
            controls.set_sensitivity(own);
            controls.end_sensitivity();
        }
    });
    let mut value = params.sensitivity.clamp(0.0, 1.0);
    ui.horizontal(|ui| {
        let sure = ui.label(format!("{} sure", words::percent(value)));
        ui.spacing_mut().slider_width = ui.available_width();
        let slider = ui.add(Slider::new(&mut value, 0.0..=1.0).step_by(0.01).show_value(false));
        let slider = slider.labelled_by(sure.id);
        if slider.has_focus() {
            let ring = slider.rect.expand2(vec2(3.0, 1.0));
            ui.painter().rect_stroke(ring, 4, (2.0, colours.accent), StrokeKind::Inside);
        }
        if slider.drag_started() {
            controls.begin_sensitivity();
        }
        if slider.changed() {
            // A key or a click moves it without a drag: a gesture of its own.
            let alone = !slider.dragged() && !slider.drag_stopped();
            if alone {
                controls.begin_sensitivity();
            }
            controls.set_sensitivity(value);
            if alone {
                controls.end_sensitivity();
            }
        }
        if slider.drag_stopped() {
            controls.end_sensitivity();
        }
    });
}

fn hop(ui: &mut Ui, colours: &Palette, params: Params, controls: &mut dyn Controls) {
    widgets::section(ui, colours, "Judges every", |ui| {
        widgets::remark_in_one_line(ui, "ten seconds at a time", colours.dim);
    });
    let pressed = widgets::choice_row(
        ui,
        &Hop::ALL,
        Hop::label,
        |hop| hop == params.hop,
        |hop| format!("Hop: {}", hop.label()),
    );
    if let Some(hop) = pressed
        && hop != params.hop
    {
        controls.set_hop(hop);
    }
}
