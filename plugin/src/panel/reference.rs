//! The reference: the usual balance, the balance of the last windows, or that of a file.

use super::controls::Controls;
use super::path_box::{PathBox, Purpose};
use super::theme::{self, Palette};
use super::{state::PanelState, widgets};
use crate::view::{Command, View};
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
        let undo = ui.add_enabled(view.can_undo_reference, Button::new("Undo"));
        if undo.on_hover_text("Undo the last change of the reference").clicked() {
            controls.send(Command::UndoReference);
        }
        let clear = ui.add_enabled(view.reference.is_some(), Button::new("Clear"));
        if clear.on_hover_text("Use the usual balance again").clicked() {
            controls.send(Command::ClearReference);
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
        measuring(ui, colours, progress, controls);
        return;
    }
    let full = vec2(ui.available_width(), ui.spacing().interact_size.y);
    let pin = ui
        .add_enabled_ui(view.can_pin, |ui| ui.add_sized(full, Button::new("Use this mix as reference")))
        .inner;
    let pin = pin.on_hover_text("Aim at the balance of the last windows");
    if pin.on_disabled_hover_text("Play part of the song first").clicked() {
        controls.send(Command::PinReference);
    }
    if ui.add_sized(full, Button::new("Load reference…")).clicked() {
        state.path_box = Some(PathBox::open(Purpose::Reference, &state.dialogs));
    }
}

fn measuring(ui: &mut Ui, colours: &Palette, progress: f32, controls: &mut dyn Controls) {
    let progress = if progress.is_finite() { progress.clamp(0.0, 1.0) } else { 0.0 };
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("Measuring… {:.0} %", progress * 100.0)).color(colours.text));
        widgets::at_right(ui, &["Cancel"], |ui| {
            if ui.add(Button::new("Cancel")).clicked() {
                controls.send(Command::CancelReference);
            }
        });
    });
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0), Sense::hover());
    widgets::bar(ui, rect, progress, colours.band, colours.accent);
}
