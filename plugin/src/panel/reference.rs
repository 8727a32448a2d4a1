//! The reference: the usual balance, the balance of the last windows, or that of a file.

use super::actions::{Action, is_possible, perform, tip};
use super::controls::Controls;
use super::theme::{self, Palette};
use super::{state::PanelState, widgets};
use crate::view::{Undoable, View};
use egui::{Button, Label, RichText, Sense, Ui, vec2};

/// Draws the reference and the controls that change it.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    widgets::section_with_buttons(ui, colours, "Reference", &["Undo", "Clear"], |ui| {
        let undo = ui.add_enabled(is_possible(Action::Undo, view, state), Button::new("Undo"));
        if undo.on_hover_text(tip(Action::Undo, undoes(view.undo))).clicked() {
            perform(Action::Undo, ui.ctx(), view, state, controls);
        }
        let clear = ui.add_enabled(is_possible(Action::ClearReference, view, state), Button::new("Clear"));
        if clear.on_hover_text(tip(Action::ClearReference, "Use the usual balance again")).clicked() {
            perform(Action::ClearReference, ui.ctx(), view, state, controls);
        }
    });
    let (name, remark) = match &view.reference {
        Some(reference) => (
            reference.name.as_str(),
            match reference.windows {
                windows if reference.songs > 1 => {
                    format!("Your target, from {} songs ({windows} windows)", reference.songs)
                }
                1 => "Your reference, from one window".to_string(),
                windows => format!("Your reference, from {windows} windows"),
            },
        ),
        None => ("Usual balance", "How released songs are balanced".to_string()),
    };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let name = RichText::new(name).font(theme::strong_font(theme::BODY_PT)).color(colours.strong);
        ui.add(Label::new(name).truncate());
        widgets::remark(ui, remark, colours.dim);
    });
    if let Some(progress) = view.reference_progress {
        measuring(ui, colours, progress, view, state, controls);
        return;
    }
    let full = vec2(ui.available_width(), ui.spacing().interact_size.y);
    let pin = ui
        .add_enabled_ui(view.can_pin, |ui| ui.add_sized(full, Button::new("Use this mix as reference")))
        .inner;
    let pin = pin.on_hover_text(tip(Action::Pin, "Aim at the balance of the last windows"));
    if pin.on_disabled_hover_text("Play part of the song first").clicked() {
        perform(Action::Pin, ui.ctx(), view, state, controls);
    }
    let load = ui.add_sized(full, Button::new("Load reference…"));
    if load.on_hover_text(tip(Action::LoadReference, "Aim at the balance of a song")).clicked() {
        perform(Action::LoadReference, ui.ctx(), view, state, controls);
    }
}

/// What "Undo" takes back.
fn undoes(undo: Option<Undoable>) -> &'static str {
    match undo {
        None => "Nothing to undo",
        Some(Undoable::Reference) => "Undo the last change of the reference",
        Some(Undoable::Anchor) => "Undo the last change of the anchor",
        Some(Undoable::Stems) => "Undo the last change of the stems in the mix",
        Some(Undoable::Threshold(_)) => "Undo the last change of the confidence threshold",
        Some(Undoable::StartOver) => "Undo \"Start over\"",
    }
}

fn measuring(
    ui: &mut Ui,
    colours: &Palette,
    progress: f32,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let progress = if progress.is_finite() { progress.clamp(0.0, 1.0) } else { 0.0 };
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("Measuring… {:.0} %", progress * 100.0)).color(colours.text));
        widgets::at_right(ui, &["Cancel"], |ui| {
            if ui.add(Button::new("Cancel")).clicked() {
                perform(Action::StopMeasuring, ui.ctx(), view, state, controls);
            }
        });
    });
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0), Sense::hover());
    widgets::bar(ui, rect, progress, colours.band, colours.accent);
}
