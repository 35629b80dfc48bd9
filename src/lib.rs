//! Personalised wake-word detection: your phrase, your voice, on your device.
#![forbid(unsafe_code)]

pub mod acoustics;
pub mod audio;
pub mod batch;
pub mod bus;
pub mod calibrate;
pub mod config;
pub mod control;
pub mod digits;
pub mod engine;
pub mod enroll;
pub mod features;
pub mod inference;
pub mod keyword;
pub mod models;
pub mod phrase;
pub mod profile;
pub mod service;
pub mod speaker;
pub mod store;
pub mod text;
pub mod wyoming;
