//! The web page, and the API behind it: `mixing-buddy serve`.
//!
//! ```text
//! browser ─ HTTP ─ server ─ guard ─┬─ upload ─ store ─ queue ═ workers ─ listen ─┐
//!                                  ├─ events ◄────────── job ◄──────────────────┘
//!                                  ├─ api (state, result, report, question, audio ─ hear)
//!                                  └─ page
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `settings` | limits and addresses |
//! | `store` | temporary files, which are gone afterwards, however the server ends |
//! | `queue` | songs that wait; addresses take turns |
//! | `clips` | windows that are ready to be heard |
//! | `job` | a song, and what is known of it |
//! | `hear` | windows as WAV files, as they are and with the advice applied |
//! | `workers` | the threads that run the model |
//! | `listen` | what a worker does with a song |
//! | `address` | who a client is, and how much it may ask for |
//! | `app` | what all requests share |
//! | `problem` | answers that say what went wrong |
//! | `guard` | what holds for every request |
//! | `upload`, `events`, `api` | the handlers |
//! | `page` | the page, and the list of all paths |
//! | `server` | connections |
//!
//! Two threads serve the network and four read and write files; the model runs on the workers' threads alone.

mod address;
mod api;
mod app;
mod clips;
mod events;
mod guard;
mod hear;
mod job;
mod listen;
mod page;
mod problem;
mod queue;
mod server;
mod settings;
mod store;
mod upload;
mod workers;

pub use server::{ServeError, Server};
pub use settings::{DEFAULT_PORT, Settings};
