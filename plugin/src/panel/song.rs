//! The song so far: the advice on all its windows, the timeline, and the advice of the selected mark.

use super::actions::{Action, is_possible, perform, tip};
use super::controls::Controls;
use super::state::{Focus, PanelState};
use super::theme::{self, Palette};
use super::{since, timeline, widgets, words};
use crate::view::{Mark, View};
use egui::{Align, Button, Frame, Label, Layout, RichText, Ui, vec2};
use mixing_buddy_core::clock;

/// Draws the song.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    widgets::section_with_buttons(ui, colours, "Song", &["Start over"], |ui| {
        let start_over =
            ui.add_enabled(is_possible(Action::StartOver, view, state), Button::new("Start over"));
        let about = "After you change the mix: earlier windows no longer count";
        if start_over.on_hover_text(tip(Action::StartOver, about)).clicked() {
            perform(Action::StartOver, ui.ctx(), view, state, controls);
        }
    });
    match &view.song {
        Some(song) => {
            let line = words::song_line(song.windows, &song.advice);
            ui.add(Label::new(RichText::new(line).color(colours.text)).wrap());
        }
        None => {
            widgets::remark(ui, "No advice yet. Play the whole song once.", colours.dim);
        }
    }
    let takes_focus = state.focus.take_if(|focus| *focus == Focus::Timeline).is_some();
    timeline::show(ui, colours, &view.history, &mut state.selected, takes_focus);
    if let Some(mark) = selected(view, state.selected) {
        detail(ui, colours, view, mark, state, controls);
    } else {
        widgets::remark(
            ui,
            "Up: too loud. Down: too quiet. Bold line: balanced. Ring: can't tell.",
            colours.dim,
        );
    }
}

/// The mark with this number.
pub(super) fn selected(view: &View, order: Option<u64>) -> Option<&Mark> {
    let order = order?;
    view.history.iter().rev().find(|mark| mark.order == order).map(AsRef::as_ref)
}

fn detail(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    mark: &Mark,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    Frame::new().fill(colours.surface).corner_radius(4).inner_margin(theme::margin(10, 6)).show(ui, |ui| {
        ui.horizontal(|ui| {
            let facts = words::verdict_in_full(&mark.advice);
            let facts = format!("{} · {facts}", clock::span(mark.start_s, mark.end_s));
            let facts = RichText::new(facts).font(theme::strong_font(theme::BODY_PT)).color(colours.strong);
            let gap = ui.spacing().item_spacing.x;
            let room = ui.available_width() - widgets::buttons_width(ui, &["Copy", "×"]) - 2.0 * gap;
            ui.allocate_ui_with_layout(vec2(room, 22.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(room);
                ui.add(Label::new(facts).truncate());
            });
            let copy = ui.add(Button::new("Copy").frame_when_inactive(false));
            if copy.on_hover_text(tip(Action::CopyMark, "Copy this advice")).clicked() {
                perform(Action::CopyMark, ui.ctx(), view, state, controls);
            }
            if widgets::close_button(ui, "Close this advice").clicked() {
                state.selected = None;
            }
        });
        if !mark.advice.text.trim().is_empty() {
            ui.add(Label::new(RichText::new(mark.advice.text.trim()).color(colours.text)).wrap());
        }
        if let Some(followed) = &mark.followed {
            widgets::remark(ui, format!("{}.", since::outcome(followed)), colours.text);
        }
        if !mark.current {
            widgets::remark(ui, "From before the last change.", colours.dim);
        }
    });
}
