//! A study with human raters: one page that runs from a file, and what its ratings say.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`licence`] | which songs may be heard outside this machine |
//! | [`clips`] | the flawed mix and the mix with the advice applied, equally loud |
//! | [`make`] | the page, the key to its blinded systems, the protocol and the information for participants |
//! | [`ratings`] | reads what the page wrote; refuses other studies and edited files |
//! | [`mixed`] | a linear mixed model with raters and items as random effects |
//! | [`score`] | means, agreement, consistency, ranking |

pub mod clips;
pub mod licence;
pub mod make;
pub mod mixed;
pub mod ratings;
pub mod score;
mod texts;

pub use licence::{Credit, shareable};
pub use make::{Key, Study, StudyPlan, System, make_study};
pub use ratings::{RatingsFile, SCALES, read_ratings};
pub use score::{StudyReport, score_study};
