//! A question in the user's own words, and the answer.

use super::controls::Controls;
use super::state::{Focus, PanelState};
use super::theme::{self, Palette};
use super::{widgets, words};
use crate::view::{Activity, Command, View};
use egui::{Button, Key, Label, RichText, TextEdit, Ui};

/// Longest question in characters; the model reads no more than this.
const LONGEST_QUESTION: usize = 200;

/// Draws the question box and the answer.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    widgets::section(ui, colours, "Ask", |_| {});
    ui.horizontal(|ui| {
        let room = ui.available_width() - widgets::buttons_width(ui, &["Ask"]) - ui.spacing().item_spacing.x;
        let was_empty = state.question.is_empty();
        let field = TextEdit::singleline(&mut state.question)
            .hint_text("In your own words: how is my vocal?")
            .char_limit(LONGEST_QUESTION)
            .desired_width(room)
            .margin(theme::margin(6, 4));
        let field = ui.add(field);
        if state.focus.take_if(|focus| *focus == Focus::Question).is_some() {
            field.request_focus();
        }
        // With the first letter: who only passes by with Tab does not ask.
        if was_empty && !state.question.is_empty() {
            controls.send(Command::WillAsk);
        }
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let can_ask = !state.question.trim().is_empty() && view.activity != Activity::NoModel;
        let go = ui.add_enabled(can_ask, Button::new("Ask"));
        if can_ask && (go.clicked() || entered) {
            controls.send(Command::Ask(state.question.trim().to_string()));
            state.question.clear();
        }
    });
    let Some(answered) = &view.answer else { return };
    let drawn = ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        widgets::remark(ui, format!("“{}”", answered.question), colours.dim);
        match &answered.advice {
            None => {
                let written = match answered.written.trim() {
                    "" => "Thinking…".to_string(),
                    written => format!("{written} …"),
                };
                ui.add(Label::new(RichText::new(written).color(colours.dim)).wrap());
            }
            Some(advice) => {
                ui.add(Label::new(RichText::new(words::sentence(advice)).color(colours.strong)).wrap());
                widgets::remark(ui, words::verdict_in_full(advice), colours.dim);
            }
        }
    });
    if state.answer_seen.as_ref() != Some(answered) {
        drawn.response.scroll_to_me(None);
        state.answer_seen = Some(answered.clone());
    }
}
