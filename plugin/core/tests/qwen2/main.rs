//! A pretrained Qwen2: files, kernels, forward pass, adapter.
#![allow(clippy::unwrap_used, clippy::missing_docs_in_private_items, missing_docs)]

mod adapter;
mod candle;
mod files;
mod forward;
mod kernels;
mod large;
mod real;
mod talking;
mod tiny;
