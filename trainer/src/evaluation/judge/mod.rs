//! An LLM as judge of the advice, and how far it may be believed.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`rubric`] | what is judged, on which scale; the prompt, and the answer's numbers |
//! | [`mod@candidates`] | the advice to judge: the model's, good advice that we wrote, and planted bad advice |
//! | [`endpoint`] | a judge behind an OpenAI-compatible endpoint |
//! | [`local`] | a judge in this process |
//! | [`run`] | asks, keeps answers, goes on after a failure |
//! | [`scores`] | means, how often bad advice scores lower, agreement over repeats |

pub mod candidates;
pub mod endpoint;
pub mod local;
pub mod rubric;
pub mod run;
pub mod scores;

pub use candidates::{Candidate, CandidateKind, candidates};
pub use endpoint::{EndpointJudge, EndpointSettings};
pub use local::LocalJudge;
pub use rubric::{CRITERIA, Criterion, Ratings, parse_ratings, prompt};
pub use run::{Estimate, Judge, JudgeFailure, JudgePlan, Judgement};
pub use scores::{JudgeReport, judge_report};
