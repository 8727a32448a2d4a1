//! The library in the worker: measures several songs one after another, in small steps.

use super::advice_model::AdviceModel;
use super::reference::{Progress, ReferenceJob};
use crate::library::Measuring;
use mixing_buddy_core::profile::files::{Fingerprint, songs_in};
use mixing_buddy_core::profile::{Choice, Library, Part, SongId, SongProfile};
use mixing_buddy_core::{CancelFlag, Error, Result};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Work on a song between two polls of the ring. As for a single reference.
const SLICE: Duration = Duration::from_millis(30);

/// Songs that are being measured for the library.
pub struct Shelf {
    library: Library,
    waiting: VecDeque<PathBuf>,
    of: usize,
    stage: Option<Stage>,
    /// Songs that are in the library now.
    done: Vec<SongId>,
    failures: Vec<String>,
    /// What of the songs was corrected or lost.
    warnings: Vec<String>,
    /// The group that several songs become.
    group: Option<String>,
}

/// What is being done with a song.
enum Stage {
    Hashing(PathBuf, Box<Fingerprint>),
    Measuring(SongId, Box<ReferenceJob>),
}

/// What a step has led to.
pub enum Step {
    /// More to do.
    Going(Measuring),
    /// All songs are done.
    Finished(Finished),
}

/// The end of a job.
pub struct Finished {
    /// What to aim at; none if no song could be measured.
    pub choice: Option<Choice>,
    /// Songs that could not be measured, each a sentence that names the file.
    pub failures: Vec<String>,
    /// What of the measured songs was corrected or lost, each a sentence with the song's name.
    pub warnings: Vec<String>,
    /// How many songs there were.
    pub of: usize,
}

impl Shelf {
    /// Songs and folders of songs for a library.
    ///
    /// # Errors
    /// When there is no song among them.
    pub fn new(library: Library, paths: &[PathBuf]) -> Result<Self> {
        let songs = songs_in(paths);
        let first = songs.first().ok_or_else(|| {
            Error::Format(match paths {
                [only] => format!("{}: there is no song in this folder", only.display()),
                _ => "there is no song among these files".into(),
            })
        })?;
        let group =
            (songs.len() > 1 || paths.iter().any(|path| path.is_dir())).then(|| group_name(paths, first));
        Ok(Shelf {
            library,
            of: songs.len(),
            waiting: songs.into(),
            stage: None,
            done: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            group,
        })
    }

    /// Works for about 30 ms; analyzing a window can take longer.
    ///
    /// # Errors
    /// When cancelled.
    pub fn step(&mut self, model: &dyn AdviceModel, cancel: &CancelFlag) -> Result<Step> {
        let part = match self.advance(model, cancel) {
            Ok(part) => part,
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => {
                self.stage = None;
                self.failures.push(error.to_string());
                0.0
            }
        };
        if self.stage.is_none() && self.waiting.is_empty() {
            return Ok(Step::Finished(self.finish()));
        }
        Ok(Step::Going(self.progress(part)))
    }

    /// How far it is.
    pub fn progress(&self, part: f32) -> Measuring {
        let path = match &self.stage {
            Some(Stage::Hashing(path, _)) => Some(path.as_path()),
            Some(Stage::Measuring(_, job)) => Some(job.path()),
            None => self.waiting.front().map(PathBuf::as_path),
        };
        let number = self.of - self.waiting.len() + usize::from(self.stage.is_none());
        Measuring {
            name: path.map(name).unwrap_or_default(),
            number: number.clamp(1, self.of),
            of: self.of,
            part,
        }
    }

    /// Does a piece of work; the part of the song that is done.
    fn advance(&mut self, model: &dyn AdviceModel, cancel: &CancelFlag) -> Result<f32> {
        cancel.check()?;
        match self.stage.take() {
            None => {
                let Some(path) = self.waiting.pop_front() else { return Ok(0.0) };
                let fingerprint = Fingerprint::open(&path)?;
                self.stage = Some(Stage::Hashing(path, Box::new(fingerprint)));
                Ok(0.0)
            }
            Some(Stage::Hashing(path, mut fingerprint)) => {
                let Some(id) = fingerprint.step()? else {
                    self.stage = Some(Stage::Hashing(path, fingerprint));
                    return Ok(0.0);
                };
                let known = self.library.song(&id).ok().flatten();
                if known.is_some_and(|known| known.song.model == model.name()) {
                    self.done.push(id);
                    return Ok(1.0);
                }
                let job = ReferenceJob::open(&path, model)?;
                self.stage = Some(Stage::Measuring(id, Box::new(job)));
                Ok(0.0)
            }
            Some(Stage::Measuring(id, mut job)) => match job.step(model, cancel, SLICE)? {
                Progress::Part(part) => {
                    self.stage = Some(Stage::Measuring(id, job));
                    Ok(part)
                }
                Progress::Done(reference, warnings) => {
                    self.warnings.extend(warnings);
                    let (name, model) = (&reference.name, model.name());
                    let profile =
                        SongProfile::new(id.clone(), name, model, reference.balance, job.analyses());
                    self.library.put_song(&profile)?;
                    self.done.push(id);
                    Ok(1.0)
                }
            },
        }
    }

    /// Makes the group, and tells what to aim at.
    fn finish(&mut self) -> Finished {
        let songs = std::mem::take(&mut self.done);
        let part = match (&self.group, songs.as_slice()) {
            (_, []) => None,
            (None, [song, ..]) => Some(Part::Song(song.clone())),
            (Some(name), songs) => {
                let changed = self.library.change_group(name, |group| {
                    for song in songs {
                        let known = group.members.iter().find(|member| member.song == *song);
                        let weight = known.map_or(1.0, |member| member.weight);
                        group.put(song.clone(), weight);
                    }
                });
                match changed {
                    Ok(group) => Some(Part::Group(group.name)),
                    Err(error) => {
                        self.failures.push(error.to_string());
                        None
                    }
                }
            }
        };
        Finished {
            choice: part.map(|part| Choice { part, weight: 1.0 }),
            failures: std::mem::take(&mut self.failures),
            warnings: std::mem::take(&mut self.warnings),
            of: self.of,
        }
    }
}

/// A group is called like the folder that was chosen, or that its songs are in.
fn group_name(paths: &[PathBuf], first_song: &Path) -> String {
    let folder = match paths {
        [only] if only.is_dir() => Some(only.as_path()),
        _ => first_song.parent(),
    };
    folder.map(name).filter(|name| !name.is_empty()).unwrap_or_else(|| "References".into())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
