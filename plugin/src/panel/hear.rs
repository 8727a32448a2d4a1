//! Auditions: other gains of the stems, heard before a fader is moved.

use super::actions::{Action, is_possible, perform, tip};
use super::controls::Controls;
use super::theme::{self, Palette, SMALL_PT};
use super::{state::PanelState, widgets, words};
use crate::view::{AuditionState, Command, End, Trial, View};
use egui::{
    Align, Align2, Button, Checkbox, FontId, Frame, Label, Layout, Panel, RichText, Sense, Slider,
    StrokeKind, Ui, vec2,
};
use mixing_buddy_core::audition::{MOST_GAIN_DB, Version};
use mixing_buddy_core::{PerStem, Stem};

/// Step of the faders in dB.
const STEP_DB: f64 = 0.5;
/// Width of the names of the stems in points, as in the levels.
const NAME_PT: f32 = 58.0;
/// Width of the number at the right of a fader in points.
const NUMBER_PT: f32 = 58.0;

/// The strip that says that the output is not the mix. It stays in view for as long as it is so.
pub(super) fn banner(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let Some(text) = sign(view) else { return };
    let frame = Frame::new().fill(colours.chosen).inner_margin(theme::margin(12, 5));
    Panel::top("audition").resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            loudspeaker(ui, colours);
            let gap = ui.spacing().item_spacing.x;
            let room = ui.available_width() - widgets::buttons_width(ui, &["Back to the mix"]) - gap;
            ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(room);
                let text = RichText::new(text).font(theme::strong_font(theme::BODY_PT)).color(colours.strong);
                ui.add(Label::new(text).truncate());
            });
            let back = ui.add(Button::new("Back to the mix"));
            if back.on_hover_text(tip(Action::Hear, "Ends the audition")).clicked() {
                perform(Action::Hear, ui.ctx(), view, state, controls);
            }
        });
    });
}

/// What the strip says; none while the output is the mix.
fn sign(view: &View) -> Option<&'static str> {
    match (view.audition.state, view.audition.trial.version) {
        (AuditionState::Off | AuditionState::Ended(_), _) => None,
        (AuditionState::Preparing, _) => Some("Preparing the audition…"),
        (AuditionState::HostSleeps, _) => Some("Nothing to hear: the host sends no sound while it stands."),
        (AuditionState::Sounding, Version::Altered) => {
            Some("Not the mix: the last seconds again, with gains.")
        }
        (AuditionState::Sounding, Version::Original) => {
            Some("Not the live mix: the last seconds again, as they were.")
        }
    }
}

/// A loudspeaker, so that the sign does not depend on its colour.
fn loudspeaker(ui: &mut Ui, colours: &Palette) {
    let (rect, _) = ui.allocate_exact_size(vec2(18.0, 18.0), Sense::hover());
    let at = |x: f32, y: f32| rect.min + vec2(x, y);
    let body = [at(1.0, 6.5), at(4.5, 6.5), at(9.0, 2.5), at(9.0, 15.5), at(4.5, 11.5), at(1.0, 11.5)];
    let stroke = egui::Stroke::new(1.6, colours.strong);
    ui.painter().add(egui::Shape::closed_line(body.to_vec(), stroke));
    for reach in [12.0, 15.5] {
        let bow = [at(reach - 1.0, 5.5), at(reach + 0.5, 9.0), at(reach - 1.0, 12.5)];
        ui.painter().add(egui::Shape::line(bow.to_vec(), stroke));
    }
}

/// Draws the row with the button, and, if they are open, a fader per stem.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    row(ui, colours, view, state, controls);
    if state.faders_open {
        let before = state.trial_db;
        for stem in Stem::ALL {
            fader(ui, colours, view, state, stem);
        }
        if before != state.trial_db {
            follow(view, state, controls);
        }
        ui.horizontal(|ui| {
            let reset = ui.add(Button::new("All 0 dB"));
            let about = "With all faders at 0 dB you hear the mix, bit for bit";
            if reset.on_hover_text(tip(Action::FlatFaders, about)).clicked() {
                perform(Action::FlatFaders, ui.ctx(), view, state, controls);
            }
            let is_possible = is_possible(Action::AdvisedFaders, view, state);
            let as_advised = ui.add_enabled(is_possible, Button::new("As advised"));
            let about = "Sets the faders to what the newest advice says";
            if as_advised.on_hover_text(tip(Action::AdvisedFaders, about)).clicked() {
                perform(Action::AdvisedFaders, ui.ctx(), view, state, controls);
            }
        });
    }
    if state.faders_open || needs_song(view) {
        let mut over_song = state.over_song;
        let about = "Also while the song plays: the last ten seconds sound in its place";
        let over = ui.add(Checkbox::new(&mut over_song, "Over the song"));
        if over.on_hover_text(tip(Action::OverSong, about)).changed() {
            perform(Action::OverSong, ui.ctx(), view, state, controls);
        }
    }
    if let Some(text) = remark(view, state.faders_open) {
        widgets::remark(ui, text, colours.dim);
    }
}

/// Lets an audition that sounds follow the faders.
pub(super) fn follow(view: &View, state: &PanelState, controls: &mut dyn Controls) {
    if view.audition.state.is_on() {
        controls.send(Command::Hear(trial(view, state, view.audition.trial.version)));
    }
}

/// The title and the buttons next to it.
fn row(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    let is_on = view.audition.state.is_on();
    let labels: &[&str] =
        if is_on { &["Stop", "Original", "With gains", "Faders"] } else { &["Hear it", "Faders"] };
    widgets::section_with_buttons(ui, colours, "Audition", labels, |ui| {
        if is_on {
            if ui.add(Button::new("Stop")).on_hover_text(tip(Action::Hear, "Back to the mix")).clicked() {
                perform(Action::Hear, ui.ctx(), view, state, controls);
            }
            for (one, label) in [(Version::Original, "Original"), (Version::Altered, "With gains")] {
                let is_chosen = view.audition.trial.version == one;
                let button = ui.add(Button::new(label).selected(is_chosen));
                let about = "The original or the version with gains";
                if button.on_hover_text(tip(Action::Version, about)).clicked() && !is_chosen {
                    perform(Action::Version, ui.ctx(), view, state, controls);
                }
            }
        } else {
            let hear = ui.add_enabled(is_possible(Action::Hear, view, state), Button::new("Hear it"));
            let about = "Plays the last ten seconds again as advised, as loud as before";
            let hear = hear
                .on_hover_text(tip(Action::Hear, about))
                .on_disabled_hover_text("Play at least three seconds of the song while this panel is open");
            if hear.clicked() {
                perform(Action::Hear, ui.ctx(), view, state, controls);
            }
        }
        let faders = ui.add(Button::new("Faders").selected(state.faders_open));
        if faders.on_hover_text(tip(Action::Faders, "Try a gain of each stem by hand")).clicked() {
            perform(Action::Faders, ui.ctx(), view, state, controls);
        }
    });
}

/// Whether an audition can only be heard over the song.
fn needs_song(view: &View) -> bool {
    matches!(view.audition.state, AuditionState::HostSleeps | AuditionState::Ended(End::SongPlays))
}

/// What to hear: the gains of the faders, or those that the advice suggests.
pub(super) fn trial(view: &View, state: &PanelState, version: Version) -> Trial {
    let gains_db = state.trial_db.unwrap_or_else(|| advised_db(view));
    Trial { gains_db, version, over_song: state.over_song }
}

/// The gains that the newest advice suggests, also if its confidence is under the threshold.
fn advised_db(view: &View) -> PerStem<f32> {
    let best = view.newest.as_ref().map(|newest| newest.advice.best);
    let gain = best.and_then(|best| Some((best.stem?, best.gain_db?)));
    gain.map_or(PerStem::all(0.0), |(stem, gain_db)| {
        PerStem::all(0.0).with(stem, gain_db.clamp(-MOST_GAIN_DB, MOST_GAIN_DB))
    })
}

fn fader(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, stem: Stem) {
    let gains = state.trial_db.unwrap_or_else(|| advised_db(view));
    let mut gain_db = gains[stem];
    ui.horizontal(|ui| {
        let (name, _) = ui.allocate_exact_size(vec2(NAME_PT - 6.0, 20.0), Sense::hover());
        let font = FontId::proportional(theme::BODY_PT);
        let at = name.left_center();
        ui.painter().text(at, Align2::LEFT_CENTER, words::title(stem), font, colours.text);
        ui.spacing_mut().slider_width = (ui.available_width() - NUMBER_PT).max(40.0);
        ui.visuals_mut().selection.bg_fill = colours.of(stem);
        let slider =
            Slider::new(&mut gain_db, -MOST_GAIN_DB..=MOST_GAIN_DB).step_by(STEP_DB).show_value(false);
        let response = ui.add(slider);
        if response.has_focus() {
            let ring = response.rect.expand2(vec2(3.0, 1.0));
            ui.painter().rect_stroke(ring, 4, (2.0, colours.accent), StrokeKind::Inside);
        }
        let text = format!("Try {}: {} dB", stem.name(), words::signed_tenth(gain_db));
        let enabled = ui.is_enabled();
        response.widget_info(|| {
            let mut info = egui::WidgetInfo::slider(enabled, f64::from(gain_db), &text);
            info.label = Some(text.clone());
            info
        });
        let number = format!("{} dB", words::signed_tenth(gain_db));
        let colour = if gain_db == 0.0 { colours.dim } else { colours.text };
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
        let font = FontId::proportional(SMALL_PT);
        ui.painter().text(rect.right_center(), Align2::RIGHT_CENTER, number, font, colour);
    });
    if gain_db != gains[stem] {
        state.trial_db = Some(gains.with(stem, gain_db));
    }
}

/// What the user must know now.
fn remark(view: &View, is_open: bool) -> Option<String> {
    let audition = &view.audition;
    match audition.state {
        AuditionState::Ended(end) => ended(end).map(str::to_string),
        AuditionState::HostSleeps => Some("Press play, and allow it over the song.".to_string()),
        _ if !is_open => None,
        _ if audition.playable_s > 0.0 => Some(format!(
            "An estimate of the remix, from the last {:.0} s, as loud as before.",
            audition.playable_s
        )),
        _ => Some(
            "Play at least three seconds of the song. They are kept while this panel is open.".to_string(),
        ),
    }
}

fn ended(end: End) -> Option<&'static str> {
    Some(match end {
        End::EditorClosed => return None,
        End::SongPlays => "The audition ended because the song plays. Stop it, or allow it over the song.",
        End::SongStopped => "The audition ended because the song stopped.",
        End::Bypassed => "The audition ended because the plugin is bypassed.",
        End::Host => "The audition ended because the host stopped the plugin.",
        End::Renders => "The audition ended: a render always gets the mix.",
        End::NoSound => "Play at least three seconds of the song first.",
    })
}
