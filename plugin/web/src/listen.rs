//! What a worker does with a song: the same steps as `mixing-buddy advise`.

use crate::job::{Job, Judged, Part, State, Upload, Verdict};
use mixing_buddy_core::song::{DEFAULT_HOP_S, Step, follow_file, measure_reference};
use mixing_buddy_core::{Analysis, CancelFlag, Conversation, Engine, Error, Request, Result};

/// Progress is told each time that so many more seconds were heard.
const TELL_EVERY_S: f64 = 1.0;

/// Listens to a job's files and puts the advice into the job. `between` is called after each window.
pub fn listen(engine: &Engine, job: &Job, most_song_s: f64, between: &dyn Fn()) {
    let cancel = &job.cancel;
    if cancel.is_cancelled() {
        return;
    }
    match judge(engine, job, most_song_s, between, cancel) {
        Ok(()) => {}
        Err(Error::Cancelled) => job.fail("The song was cancelled."),
        Err(error) => {
            let mut message = job.song.named(&error.to_string());
            if let Some(reference) = &job.reference {
                message = reference.named(&message);
            }
            job.fail(&message);
        }
    }
}

fn judge(
    engine: &Engine,
    job: &Job,
    most_song_s: f64,
    between: &dyn Fn(),
    cancel: &CancelFlag,
) -> Result<()> {
    let mut progress = Progress { job, most_song_s, told_s: 0.0 };
    let reference = match &job.reference {
        Some(upload) => {
            progress.begin(Part::Reference);
            let measured = measure_reference(engine, &upload.path, cancel, |step| {
                progress.follow(Part::Reference, upload, step)?;
                if matches!(step, Step::Window(_)) {
                    between();
                }
                Ok(())
            })?;
            warn(job, upload, &measured.warnings);
            job.known().balance = Some(measured.balance);
            Some(measured.balance)
        }
        None => None,
    };
    let request = Request { anchor: job.anchor, reference, ..Request::default() };
    progress.begin(Part::Song);
    let warnings = follow_file(engine, &job.song.path, DEFAULT_HOP_S, cancel, |step| {
        progress.follow(Part::Song, &job.song, &step)?;
        if let Step::Window(window) = step {
            let advice = engine.answer(&window.analysis, &request, cancel)?;
            let mixing_buddy_core::song::Window { start_s, end_s, analysis } = window;
            job.change(|known| known.windows.push(Judged { start_s, end_s, analysis, advice }));
            between();
        }
        Ok(())
    })?;
    warn(job, &job.song, &warnings);
    let analyses: Vec<Analysis> = job.known().windows.iter().map(|window| window.analysis.clone()).collect();
    let analysis =
        engine.pool(&analyses).ok_or_else(|| Error::audio(&job.song.path, "has no window to judge"))?;
    // On the whole song the large model explains itself.
    let mut conversation = Conversation::new(analysis.clone(), request.clone());
    let reply = engine.ask(&mut conversation, &request.question, cancel, &mut |_| {})?;
    let reference_lu = reply.facts.and_then(|facts| facts.reference_lu);
    job.known().verdict = Some(Verdict { analysis, advice: reply.advice, reference_lu });
    job.advance(State::Done);
    Ok(())
}

fn warn(job: &Job, upload: &Upload, warnings: &[String]) {
    let named = warnings.iter().map(|warning| upload.named(warning));
    job.known().warnings.extend(named);
}

/// Tells the job how far its files were heard.
struct Progress<'a> {
    job: &'a Job,
    most_song_s: f64,
    told_s: f64,
}

impl Progress<'_> {
    fn begin(&mut self, part: Part) {
        self.told_s = 0.0;
        self.job.advance(State::Listening { part, heard_s: 0.0, length_s: None });
    }

    fn follow(&mut self, part: Part, upload: &Upload, step: &Step) -> Result<()> {
        let Step::Heard { until_s: heard_s, length_s } = *step else { return Ok(()) };
        if heard_s > self.most_song_s {
            return Err(Error::audio(&upload.path, too_long(self.most_song_s)));
        }
        if heard_s - self.told_s >= TELL_EVERY_S {
            self.told_s = heard_s;
            self.job.advance(State::Listening { part, heard_s, length_s });
        }
        Ok(())
    }
}

/// A sentence without subject about a file that is too long.
pub fn too_long(most_song_s: f64) -> String {
    format!("is longer than {} minutes, which is the most that this server takes", most_song_s / 60.0)
}
