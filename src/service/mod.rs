//! The daemon: threads, their states, and what they say to each other.
//!
//! ```text
//! capture ──ring──▶ listener ──Notice──▶ supervisor ──Notice──▶ bus, JSON lines, hooks
//!                      ▲                     │  ▲
//!                      └──────── Order ──────┘  └── Command ── bus, signals
//! ```

pub mod command;
pub mod handoff;
pub mod notice;
