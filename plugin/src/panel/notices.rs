//! Messages from the worker other than advice. They stay until the user dismisses them.

use super::actions::{Action, perform};
use super::controls::Controls;
use super::theme::{self, Palette};
use super::{state::PanelState, widgets};
use crate::view::{Command, Notice, View};
use egui::{Align, Align2, Button, Frame, Label, Layout, Rect, RichText, Sense, Ui, vec2};

/// How many notices are shown before "Show more".
pub(super) const SHOWN: usize = 2;

/// Draws the notices, newest first.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    if view.notices.is_empty() {
        return;
    }
    let shown = if state.notices_open { view.notices.len() } else { SHOWN };
    Frame::new().inner_margin(theme::margin(12, 6)).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        for notice in view.notices.iter().rev().take(shown) {
            one(ui, colours, notice, controls);
        }
        let hidden = view.notices.len().saturating_sub(SHOWN);
        if hidden > 0 {
            let label =
                if state.notices_open { "Show fewer".to_string() } else { format!("Show {hidden} more") };
            if ui.add(Button::new(RichText::new(label).size(theme::SMALL_PT))).clicked() {
                perform(Action::Messages, ui.ctx(), view, state, controls);
            }
        }
    });
}

fn one(ui: &mut Ui, colours: &Palette, notice: &Notice, controls: &mut dyn Controls) {
    let colour = if notice.is_error { colours.error } else { colours.accent };
    let frame = Frame::new().fill(colours.surface).corner_radius(4).inner_margin(theme::margin(10, 5));
    let shown = frame.show(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
            if widgets::close_button(ui, "Dismiss").clicked() {
                controls.send(Command::Dismiss(notice.id));
            }
            ui.with_layout(Layout::left_to_right(Align::TOP), |ui| {
                let (badge, _) = ui.allocate_exact_size(vec2(16.0, 22.0), Sense::hover());
                ui.painter().circle_stroke(badge.center(), 7.0, (1.5, colour));
                let sign = if notice.is_error { "!" } else { "i" };
                let font = theme::strong_font(10.0);
                ui.painter().text(badge.center(), Align2::CENTER_CENTER, sign, font, colour);
                ui.vertical(|ui| {
                    ui.add_space(3.0);
                    ui.add(Label::new(RichText::new(&notice.text).color(colours.text)).wrap());
                });
            });
        });
    });
    let rect = shown.response.rect;
    let stripe = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
    ui.painter().rect_filled(stripe, 2, colour);
}
