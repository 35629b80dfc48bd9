//! The daemon: threads, their states, and what they say to each other.
//!
//! ```text
//! capture ──ring──▶ listener ──Notice──▶ supervisor ──Notice──▶ bus, JSON lines, hooks
//!                      ▲                     │  ▲
//!                      └──────── Order ──────┘  └── Command ── bus, signals
//! ```

pub mod command;
pub mod handoff;
mod hook_run;
pub mod hooks;
pub mod json;
pub mod log;
pub mod notice;
mod outbox;
pub mod record;
pub mod signals;
pub mod systemd;
