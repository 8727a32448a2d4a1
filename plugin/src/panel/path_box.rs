//! The box that asks for a file: a field for a path, and a button for the platform's dialog.

use super::controls::Controls;
use super::dialog::{Ask, Dialogs, FileDialog, Outcome};
use super::theme::{self, Palette};
use super::widgets;
use crate::library::LibraryCommand;
use crate::view::Command;
use egui::{Button, Frame, Key, TextEdit, Ui};
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::model_choice::LargeChoice;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two polls of an open dialog.
const POLL: Duration = Duration::from_millis(100);

/// What the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A reference to measure.
    Reference,
    /// Songs for the library.
    Songs,
    /// A folder of songs for the library.
    Folder,
    /// A model to use.
    Model,
    /// Where to write the report.
    Report,
}

impl Purpose {
    const fn ask(self) -> Ask {
        match self {
            Purpose::Reference | Purpose::Model => Ask::Open,
            Purpose::Songs => Ask::OpenSeveral,
            Purpose::Folder => Ask::Folder,
            Purpose::Report => Ask::Save,
        }
    }

    /// Title of the box and of the dialog.
    pub const fn title(self) -> &'static str {
        match self {
            Purpose::Reference => "Load a reference",
            Purpose::Songs => "Add songs to the library",
            Purpose::Folder => "Add a folder of songs to the library",
            Purpose::Model => "Choose a model",
            Purpose::Report => "Save a report",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Purpose::Reference => "Path of a finished song: WAV, FLAC, MP3, OGG or M4A",
            Purpose::Songs => "Path of a finished song",
            Purpose::Folder => "Path of a folder of finished songs",
            Purpose::Model => "Path of a bundle (.mixbuddy) or a Qwen2 (.gguf)",
            Purpose::Report => "Path of the report (.html, .md and .json are added)",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Purpose::Reference => "Load",
            Purpose::Songs | Purpose::Folder => "Add",
            Purpose::Model => "Use",
            Purpose::Report => "Save",
        }
    }

    fn command(self, path: PathBuf) -> Command {
        match self {
            Purpose::Reference => Command::LoadReference(path),
            Purpose::Songs | Purpose::Folder => Command::Library(LibraryCommand::Measure(vec![path])),
            Purpose::Model => choose_model(path),
            Purpose::Report => Command::SaveReport(path),
        }
    }
}

/// The box while it is open. Dropping it closes its dialog.
#[derive(Debug)]
pub struct PathBox {
    /// What the file is for.
    pub purpose: Purpose,
    /// The path that the user types.
    pub path: String,
    dialog: Option<FileDialog>,
    problem: Option<String>,
    is_new: bool,
}

impl PathBox {
    /// Opens the box, and the platform's dialog with it where there is one.
    pub fn open(purpose: Purpose, dialogs: &Dialogs) -> PathBox {
        let path = match purpose {
            Purpose::Report => suggested_report(),
            Purpose::Reference | Purpose::Songs | Purpose::Folder | Purpose::Model => String::new(),
        };
        let mut path_box = PathBox { purpose, path, dialog: None, problem: None, is_new: true };
        path_box.browse(dialogs);
        path_box
    }

    fn browse(&mut self, dialogs: &Dialogs) {
        let suggested = Some(self.path.as_str()).filter(|path| !path.is_empty());
        self.dialog = None;
        self.problem = None;
        match FileDialog::start(dialogs, self.purpose.ask(), self.purpose.title(), suggested) {
            Ok(dialog) => self.dialog = Some(dialog),
            Err(error) => self.problem = Some(error.to_string()),
        }
    }
}

/// What became of the box in this frame.
enum After {
    Stays,
    Closes,
    Sends(PathBuf),
    SendsSeveral(Vec<PathBuf>),
}

/// Draws the box if it is open.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    open: &mut Option<PathBox>,
    dialogs: &Dialogs,
    controls: &mut dyn Controls,
) {
    let Some(path_box) = open else { return };
    let frame = Frame::new().fill(colours.surface).inner_margin(theme::margin(12, 8));
    let after = frame.show(ui, |ui| path_box.show(ui, colours, dialogs)).inner;
    match after {
        After::Stays => {}
        After::Closes => *open = None,
        After::Sends(path) => {
            controls.send(path_box.purpose.command(path));
            *open = None;
        }
        After::SendsSeveral(paths) => {
            controls.send(Command::Library(LibraryCommand::Measure(paths)));
            *open = None;
        }
    }
}

impl PathBox {
    fn show(&mut self, ui: &mut Ui, colours: &Palette, dialogs: &Dialogs) -> After {
        ui.spacing_mut().item_spacing.y = 4.0;
        let mut after = self.poll(ui);
        widgets::section(ui, colours, self.purpose.title(), |ui| {
            if widgets::close_button(ui, "Close").clicked() {
                after = After::Closes;
            }
        });
        ui.horizontal(|ui| {
            let labels = ["Browse…", self.purpose.verb()];
            let room =
                ui.available_width() - widgets::buttons_width(ui, &labels) - ui.spacing().item_spacing.x;
            let field = TextEdit::singleline(&mut self.path)
                .hint_text(self.purpose.hint())
                .desired_width(room)
                .margin(theme::margin(6, 4));
            let field = ui.add(field);
            if std::mem::take(&mut self.is_new) {
                field.request_focus();
            }
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if ui.add_enabled(self.dialog.is_none(), Button::new("Browse…")).clicked() {
                self.browse(dialogs);
            }
            let typed = typed_path(&self.path);
            let go = ui.add_enabled(typed.is_some(), Button::new(self.purpose.verb()));
            if (go.clicked() || entered)
                && let Some(path) = typed
            {
                after = After::Sends(path);
            }
        });
        match (&self.problem, &self.dialog) {
            (Some(problem), _) => {
                widgets::remark(ui, problem, colours.error);
            }
            (None, Some(_)) => {
                widgets::remark(ui, "The file dialog is open in a separate window.", colours.dim);
            }
            (None, None) => {}
        }
        after
    }

    /// Checks whether the dialog has ended.
    fn poll(&mut self, ui: &Ui) -> After {
        let Some(dialog) = &mut self.dialog else { return After::Stays };
        match dialog.poll() {
            None => {
                ui.ctx().request_repaint_after(POLL);
                After::Stays
            }
            Some(Outcome::Cancelled) => {
                self.dialog = None;
                After::Stays
            }
            Some(Outcome::Chosen(path)) => After::Sends(path),
            Some(Outcome::ChosenSeveral(paths)) => After::SendsSeveral(paths),
        }
    }
}

/// The path in what the user typed or pasted. Reads quotes, `file://` and `~` as file managers and shells write them.
fn typed_path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .or_else(|| text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')))
        .unwrap_or(text);
    if let Some(address) = text.strip_prefix("file://") {
        return Some(PathBuf::from(without_percents(address))).filter(|path| !path.as_os_str().is_empty());
    }
    if text.is_empty() {
        return None;
    }
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => Some(home.join(rest)),
        _ => Some(PathBuf::from(text)),
    }
}

/// Decodes percent-encoding (RFC 3986, 2.1); anything else stays unchanged.
fn without_percents(address: &str) -> String {
    let mut bytes = Vec::with_capacity(address.len());
    let mut rest = address.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn suggested_report() -> String {
    let home = std::env::home_dir().unwrap_or_default();
    home.join("MixingBuddy report").to_string_lossy().into_owned()
}

/// A bundle is a model with ears of its own; anything else is a language model behind the built-in ears.
fn choose_model(path: PathBuf) -> Command {
    let is_language =
        path.is_dir() || path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
    if !is_language {
        return Command::ChooseModel(Some(path));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Command::ChooseLanguage(ModelChoice::Large(LargeChoice { name, file: path, adapter: None }))
}

/// What a dropped file is for, by its extension: bundles and GGUF files are models, anything else a reference.
pub(super) fn purpose_of_dropped(path: &Path) -> Purpose {
    match path.extension() {
        Some(ending) if ["mixbuddy", "gguf"].iter().any(|model| ending.eq_ignore_ascii_case(model)) => {
            Purpose::Model
        }
        _ => Purpose::Reference,
    }
}

/// Loads a file that was dropped onto the panel. Several files, or a folder, go into the library.
pub(super) fn take_dropped(ui: &Ui, controls: &mut dyn Controls) {
    let dropped: Vec<PathBuf> =
        ui.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
    let dropped: Vec<PathBuf> = dropped.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
    if dropped.len() > 1 || dropped.first().is_some_and(|path| path.is_dir()) {
        controls.send(Command::Library(LibraryCommand::Measure(dropped)));
    } else if let Some(path) = dropped.into_iter().next() {
        controls.send(purpose_of_dropped(&path).command(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_as_users_paste_them() {
        assert_eq!(typed_path(" '/a/b c.wav' "), Some("/a/b c.wav".into()));
        assert_eq!(typed_path("\"C:\\songs\\a.wav\""), Some("C:\\songs\\a.wav".into()));
        assert_eq!(typed_path("file:///a/b%20%C3%A9%.wav"), Some("/a/b é%.wav".into()));
        assert_eq!(typed_path("/a/100%20.wav"), Some("/a/100%20.wav".into()));
        assert_eq!(typed_path("  "), None);
        if let Some(home) = std::env::home_dir() {
            assert_eq!(typed_path("~/song.mp3"), Some(home.join("song.mp3")));
        }
    }

    #[test]
    fn a_dropped_bundle_is_a_model() {
        assert_eq!(purpose_of_dropped(Path::new("/a/My.MixBuddy")), Purpose::Model);
        assert_eq!(purpose_of_dropped(Path::new("/a/song.flac")), Purpose::Reference);
    }
}
