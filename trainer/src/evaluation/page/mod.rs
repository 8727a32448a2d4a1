//! The report as one self-contained HTML page, and the tables of the model card, both from the JSON of the evaluations.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`inputs`] | reads what `evaluate`, `similarity`, `judge` and `study score` wrote |
//! | [`html`] | the page |
//! | [`listen`] | listening examples of songs that may be passed on |
//! | [`card`] | the tables of the model card, between two markers |

pub mod card;
pub mod html;
pub mod inputs;
pub mod listen;

pub use card::{card_tables, with_card_tables};
pub use html::page;
pub use inputs::{EvaluationJson, PageInputs};
pub use listen::{Example, examples};
