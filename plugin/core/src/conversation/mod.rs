//! Questions about a window and replies to them: what a question is about, what is known, what is said.
//!
//! The verdict on a window comes from one decision of the language model, made once, on the general question with the
//! request's anchor and reference. A question changes what the reply talks about, never that decision.
//!
//! | part | what it does |
//! | --- | --- |
//! | `words` | a question as words, misspelt or not, and the stems that it names |
//! | [`topic`] | what a question is about, as a type |
//! | `cues` | words by which a topic is told |
//! | [`mod@understand`] | from words to a topic, and to an anchor that the words state |
//! | [`facts`] | all that a reply may state of a window: levels, reference, usual levels, decision |
//! | `phrases` | levels, moves and outcomes in words |
//! | `sheet` | the facts as lines of text, for a larger language model |
//! | `reply` | the reply of the compact model to a topic |
//!
//! A larger language model writes its replies itself. It gets the same facts, and its words are checked against them.

mod cues;
pub mod facts;
mod phrases;
mod reply;
mod sheet;
pub mod topic;
pub mod understand;
mod words;

pub use facts::{Facts, Guess};
pub use reply::reply_text;
pub use topic::{Field, Topic};
pub use understand::{Understood, understand};
