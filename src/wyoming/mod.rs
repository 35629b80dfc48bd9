//! A wake server of the Wyoming protocol, by which Home Assistant and satellites that stream their audio hear the
//! enrolled phrases. A process of its own: it opens no microphone and needs no daemon.
//!
//! ```text
//! server ──one thread a connection──▶ session ──chunks──▶ listening: convert, engine ──▶ detections
//!                                        ▲  frames in and out (`frame`), their meaning (`message`)
//! ```

mod address;
mod announce;
pub mod frame;
mod lag;
mod listening;
mod message;
mod models;
mod server;
mod session;

pub use address::{Address, AddressError, Peers};
pub use announce::{Announcement, default_name};
pub use models::Shared;
pub use server::{ServerError, run};
