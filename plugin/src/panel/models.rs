//! The models: the built-in one, the large one, which is fetched when the user says so, or a file.

use super::actions::{Action, perform, tip};
use super::controls::Controls;
use super::program::{List, Listed, Program, Said, Task};
use super::theme::{self, Palette};
use super::{state::PanelState, widgets};
use crate::view::{Command, View};
use egui::{Button, Context, Frame, Label, RichText, Sense, Ui, vec2};
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::model_choice::LargeChoice;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// While a task runs, it is asked for news this often.
const POLL: Duration = Duration::from_millis(200);
/// What models that give advice are for, in the list of the command line.
const ADVICE: &str = "advice";

/// What the panel knows of the models.
#[derive(Debug, Default)]
pub struct Models {
    /// Whether they are shown.
    pub is_open: bool,
    /// The command line.
    program: Program,
    /// The plugin's own file, beside which the command line may be.
    library: Option<PathBuf>,
    /// What is being done.
    task: Option<Task>,
    /// The large model; none until the list has been read.
    large: Option<Listed>,
    /// How far a fetch is.
    fetching: Option<Fetching>,
    /// Why the last task failed.
    problem: Option<String>,
}

/// How far a fetch is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fetching {
    bytes: u64,
    size_bytes: u64,
    seconds_left: Option<f64>,
    /// What is waited for, in words.
    waits_for: Option<String>,
}

/// What the button of the large model does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Fetch it.
    Fetch,
    /// Stop fetching.
    Stop,
    /// Use it.
    Use,
}

impl Models {
    /// The models as the command line knows them. `library` is the plugin's own file.
    pub fn new(program: Program, library: Option<PathBuf>) -> Self {
        Models { program, library, ..Models::default() }
    }

    /// Shows or hides them; the list is read when they are shown.
    pub(super) fn toggle(&mut self) {
        self.is_open = !self.is_open;
        if self.is_open && self.task.is_none() {
            self.start(&["model", "list", "--json"]);
        }
    }

    fn start(&mut self, args: &[&str]) {
        self.problem = None;
        match Task::start(&self.program, self.library.as_deref(), args) {
            Ok(task) => self.task = Some(task),
            Err(error) => self.problem = Some(error.to_string()),
        }
    }

    /// What the button of the large model does now; none where there is nothing to do.
    fn next(&self, view: &View) -> Option<Next> {
        if self.fetching.is_some() {
            return Some(Next::Stop);
        }
        let large = self.large.as_ref().filter(|_| self.task.is_none())?;
        match &large.path {
            None => Some(Next::Fetch),
            Some(path) if is_used(view, path) => None,
            Some(_) => Some(Next::Use),
        }
    }

    /// Whether the button of the large model would do something.
    pub(super) fn is_large_possible(&self, view: &View) -> bool {
        self.next(view).is_some_and(|_| self.task.as_ref().is_none_or(|task| !task.is_stopping()))
    }

    /// Fetches the large model, stops that, or uses it.
    pub(super) fn press_large(&mut self, view: &View, controls: &mut dyn Controls) {
        let Some(name) = self.large.as_ref().map(|large| large.name.clone()) else { return };
        match self.next(view) {
            Some(Next::Fetch) => {
                self.start(&["model", "fetch", &name, "--yes", "--json"]);
                self.fetching = self.task.as_ref().map(|_| Fetching::default());
            }
            Some(Next::Stop) => {
                if let Some(task) = &mut self.task {
                    task.stop();
                }
            }
            Some(Next::Use) => self.use_large(controls),
            None => {}
        }
    }

    fn use_large(&self, controls: &mut dyn Controls) {
        if let Some(Listed { name, path: Some(file), .. }) = &self.large {
            let choice = LargeChoice { name: name.clone(), file: file.clone(), adapter: None };
            controls.send(Command::ChooseLanguage(ModelChoice::Large(choice)));
        }
    }

    /// Hears what the task says, also while the models are not shown.
    pub(super) fn poll(&mut self, context: &Context, controls: &mut dyn Controls) {
        let Some(task) = &mut self.task else { return };
        let (said, has_ended) = task.poll();
        for said in said {
            self.hear(said, controls);
        }
        if has_ended {
            self.task = None;
            self.fetching = None;
        } else {
            context.request_repaint_after(POLL);
        }
    }

    /// Takes what a task says.
    pub fn hear(&mut self, said: Said, controls: &mut dyn Controls) {
        match said {
            Said::Listed(List { models }) => {
                self.large =
                    models.into_iter().find(|model| model.purpose == ADVICE && model.licence.is_some());
            }
            Said::Progress { bytes, size_bytes, seconds_left } => {
                self.fetching = Some(Fetching { bytes, size_bytes, seconds_left, waits_for: None });
            }
            Said::Waiting => self.wait_for("Another program fetches it too; waiting for that one."),
            Said::Retrying(reason) => self.wait_for(&format!("{reason}. Trying again.")),
            // Who fetches a model wants to use it.
            Said::Done(path) => {
                if let Some(large) = &mut self.large {
                    large.path = Some(path);
                }
                self.use_large(controls);
            }
            Said::Stopped => self.problem = Some("Stopped. The next fetch goes on from there.".into()),
            Said::Failed(reason) => self.problem = Some(reason),
        }
    }

    fn wait_for(&mut self, what: &str) {
        self.fetching.get_or_insert_default().waits_for = Some(what.to_string());
    }
}

/// Whether the language model of this file answers.
fn is_used(view: &View, file: &Path) -> bool {
    let is_it = matches!(&view.model.language, ModelChoice::Large(large) if large.file == file);
    is_it && view.choices.model_path.is_none()
}

/// Draws the models if they are open.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    if !state.models.is_open {
        return;
    }
    Frame::new().fill(colours.surface).inner_margin(theme::margin(12, 8)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 6.0;
        widgets::section(ui, colours, "Model", |ui| {
            if widgets::close_button(ui, "Close the models").clicked() {
                state.models.is_open = false;
            }
        });
        compact(ui, colours, view, controls);
        large(ui, colours, view, state, controls);
        if let Some(problem) = &state.models.problem {
            widgets::remark(ui, problem, colours.error);
        }
        other(ui, colours, view, state, controls);
    });
}

/// A row: name, what there is to say of it, and a button at the right.
fn row(
    ui: &mut Ui,
    colours: &Palette,
    name: &str,
    about: &str,
    labels: &[&str],
    button: impl FnOnce(&mut Ui),
) {
    ui.horizontal(|ui| {
        let room = ui.available_width() - widgets::buttons_width(ui, labels) - ui.spacing().item_spacing.x;
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        ui.allocate_ui_with_layout(vec2(room, ui.spacing().interact_size.y), layout, |ui| {
            ui.set_width(room);
            let name = RichText::new(name).font(theme::strong_font(theme::BODY_PT)).color(colours.strong);
            ui.add(Label::new(name));
            widgets::remark_in_one_line(ui, about, colours.dim);
        });
        button(ui);
    });
}

fn compact(ui: &mut Ui, colours: &Palette, view: &View, controls: &mut dyn Controls) {
    let is_used = view.choices.model_path.is_none() && view.model.language == ModelChoice::Compact;
    let label = if is_used { "In use" } else { "Use" };
    row(ui, colours, "Compact", "built in; answers at once, in fixed phrases", &[label], |ui| {
        let button = ui.add_enabled(!is_used, Button::new(label).selected(is_used));
        let enabled = ui.is_enabled();
        button.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::Button, enabled, is_used, "Use the compact model")
        });
        if button.clicked() {
            controls.send(Command::ChooseLanguage(ModelChoice::Compact));
        }
    });
}

fn large(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    let Some(listed) = state.models.large.clone() else {
        if state.models.task.is_some() {
            widgets::remark(ui, "Looking for larger models…", colours.dim);
        }
        return;
    };
    let size = listed.size_bytes.map(megabytes).unwrap_or_default();
    let next = state.models.next(view);
    let label = match next {
        Some(Next::Fetch) => format!("Fetch {size}"),
        Some(Next::Stop) => "Cancel".into(),
        Some(Next::Use) => "Use".into(),
        None => "In use".into(),
    };
    let licence = listed.licence.as_deref().unwrap_or_default();
    let about = match (&listed.path, &state.models.fetching) {
        (_, Some(_)) => format!("{licence}; from Hugging Face"),
        (Some(_), None) => "on this computer; answers questions in its own words".into(),
        (None, None) => format!("{licence}; answers questions in its own words; not on this computer"),
    };
    row(ui, colours, &listed.name, &about, &[&label], |ui| {
        let is_possible = state.models.is_large_possible(view);
        let button = ui.add_enabled(is_possible, Button::new(&label).selected(next.is_none()));
        let about = match next {
            Some(Next::Fetch) => "Fetch it from Hugging Face, and use it",
            Some(Next::Stop) => "Stop fetching; what is here stays",
            Some(Next::Use) | None => "Use it in all projects",
        };
        if button.on_hover_text(tip(Action::LargeModel, about)).clicked() {
            perform(Action::LargeModel, ui.ctx(), view, state, controls);
        }
    });
    if let Some(fetching) = &state.models.fetching {
        progress(ui, colours, fetching);
    }
}

fn progress(ui: &mut Ui, colours: &Palette, fetching: &Fetching) {
    let part = fetching.bytes as f64 / fetching.size_bytes.max(1) as f64;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0), Sense::hover());
    widgets::bar(ui, rect, part.clamp(0.0, 1.0) as f32, colours.band, colours.accent);
    let text = match (&fetching.waits_for, fetching.size_bytes) {
        (Some(what), _) => what.clone(),
        (None, 0) => "Asking Hugging Face…".into(),
        (None, size_bytes) => {
            let left = fetching.seconds_left.filter(|left| left.is_finite());
            let left = left.map_or(String::new(), |left| format!(", {} left", time_left(left)));
            format!("{:.0} of {}{left}", fetching.bytes as f64 / 1e6, megabytes(size_bytes))
        }
    };
    widgets::remark(ui, text, colours.text);
}

/// A file of the user's own.
fn other(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    let own = view.choices.model_path.as_deref();
    let of_language = match &view.model.language {
        ModelChoice::Large(large)
            if state.models.large.as_ref().is_none_or(|listed| listed.name != large.name) =>
        {
            Some(large.name.as_str())
        }
        _ => None,
    };
    let own = own.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let about = match own.as_deref().or(of_language) {
        Some(name) => format!("{name} is in use"),
        None => "a bundle (.mixbuddy), or a Qwen2 (.gguf)".into(),
    };
    row(ui, colours, "A file of your own", &about, &["Choose…"], |ui| {
        let button = ui.add(Button::new("Choose…"));
        if button.on_hover_text(tip(Action::ModelFile, "Use a model file")).clicked() {
            perform(Action::ModelFile, ui.ctx(), view, state, controls);
        }
    });
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// "40 s", "3 min".
fn time_left(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
