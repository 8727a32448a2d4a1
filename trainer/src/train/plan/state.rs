//! Which stages of a plan are finished: a file in the folder of the plan.

use crate::files;
use crate::train::report::in_words;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stage that is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedStage {
    /// Its name.
    pub stage: String,
    /// How long it took, in seconds, since its last start: `report.md` of a run has the time of all its starts.
    pub seconds: u64,
    /// Its result in words.
    pub result: String,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    scale: f64,
    finished: Vec<FinishedStage>,
}

/// The state of a plan on disk.
pub struct PlanState {
    path: PathBuf,
    file: StateFile,
}

/// The plan, as it was when its folder was made.
const PLAN_FILE: &str = "plan.toml";
/// The finished stages.
const STATE_FILE: &str = "plan-state.json";

impl PlanState {
    /// Starts or resumes a plan in `out`.
    ///
    /// # Errors
    /// When `out` holds a plan and `resume` is not set, holds another plan or the same with another scale, or cannot be
    /// written.
    pub fn open(out: &Path, plan: &str, scale: f64, resume: bool) -> Result<Self> {
        std::fs::create_dir_all(out).with_context(|| format!("{} cannot be created", out.display()))?;
        let (plan_path, path) = (out.join(PLAN_FILE), out.join(STATE_FILE));
        if !plan_path.exists() {
            let state = PlanState { path, file: StateFile { scale, finished: Vec::new() } };
            state.save()?;
            // Last, since it marks the folder as that of a plan.
            files::replace(&plan_path, plan)?;
            return Ok(state);
        }
        ensure!(resume, "{} exists: resume it, or choose another folder", plan_path.display());
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
        };
        ensure!(
            read(&plan_path)? == plan,
            "{} is another plan; resume with that one, or choose another folder",
            plan_path.display()
        );
        let file: StateFile =
            serde_json::from_str(&read(&path)?).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            file.scale == scale,
            "{} was started with --scale {}; resume with the same",
            out.display(),
            file.scale
        );
        Ok(PlanState { path, file })
    }

    /// The stage of this name, if it is finished.
    pub fn finished(&self, stage: &str) -> Option<&FinishedStage> {
        self.file.finished.iter().find(|finished| finished.stage == stage)
    }

    /// Records that a stage is finished.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(&mut self, stage: FinishedStage) -> Result<()> {
        self.file.finished.push(stage);
        self.save()
    }

    fn save(&self) -> Result<()> {
        files::replace(&self.path, serde_json::to_string_pretty(&self.file)? + "\n")
    }

    /// The finished stages as a Markdown table.
    pub fn summary(&self) -> String {
        let rows = self.file.finished.iter().map(|FinishedStage { stage, seconds, result }| {
            format!("| {stage} | {} | {result} |\n", in_words(Duration::from_secs(*seconds)))
        });
        let total: u64 = self.file.finished.iter().map(|stage| stage.seconds).sum();
        format!(
            "| stage | time | result |\n| --- | --- | --- |\n{}| all | {} | |\n",
            rows.collect::<String>(),
            in_words(Duration::from_secs(total))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_stages_are_remembered_and_other_plans_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = |plan: &str, scale: f64, resume: bool| PlanState::open(dir.path(), plan, scale, resume);
        let fails =
            |plan: &str, scale: f64, resume: bool| open(plan, scale, resume).err().unwrap().to_string();
        let mut state = open("plan", 0.5, false).unwrap();
        let stage = FinishedStage { stage: "decoder".into(), seconds: 70, result: "good".into() };
        state.finish(stage.clone()).unwrap();
        let state = open("plan", 0.5, true).unwrap();
        assert_eq!((state.finished("decoder"), state.finished("advisor")), (Some(&stage), None));
        assert!(state.summary().contains("| decoder | 1 min | good |"), "{}", state.summary());
        assert!(fails("plan", 0.5, false).contains("resume it"));
        assert!(fails("other", 0.5, true).contains("another plan"));
        assert!(fails("plan", 1.0, true).contains("--scale 0.5"));
    }
}
