//! Whole folders of recordings through the daemon's engine.

pub mod autokws;
pub mod clips;
pub mod cohort;
pub mod eval;
pub mod report;
pub mod sbi;
pub mod score;
pub mod shard;

use std::io::{self, Write as _};
use std::path::Path;

use crate::audio::{AudioError, FileSource};
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::store::{Readers, put};

/// Has `engine`, at the beginning of a stream, hear a recording to its end, or to where it breaks off. Says how
/// many samples at 16 kHz that were.
pub fn hear(engine: &mut Engine, recording: &Path, sink: impl FnMut(Event)) -> (u64, Result<(), AudioError>) {
    hear_until(engine, recording, || false, sink)
}

/// As [`hear`], or to where `stop` says so: it is asked before every block.
pub fn hear_until(
    engine: &mut Engine,
    recording: &Path,
    stop: impl Fn() -> bool,
    sink: impl FnMut(Event),
) -> (u64, Result<(), AudioError>) {
    match FileSource::open(recording) {
        Ok(mut source) => hear_blocks(engine, |samples| source.read(samples), stop, sink),
        Err(error) => (0, Err(error)),
    }
}

/// As [`hear_until`], whatever `next` appends: false at the end.
pub fn hear_blocks<E>(
    engine: &mut Engine,
    mut next: impl FnMut(&mut Vec<f32>) -> Result<bool, E>,
    stop: impl Fn() -> bool,
    mut sink: impl FnMut(Event),
) -> (u64, Result<(), E>) {
    let (mut samples, mut heard) = (Vec::new(), 0);
    let end = loop {
        if stop() {
            break Ok(());
        }
        samples.clear();
        let more = next(&mut samples);
        heard += samples.len() as u64;
        engine.push(&samples, &mut sink);
        match more {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    engine.finish(sink);
    (heard, end)
}

/// Whether [`write_whole`] could write to `path`, before the long work whose result it is to hold.
pub fn check_writable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // Opened and closed, a pipe would be at its end for whoever reads it.
        Ok(there) if !there.is_file() => Ok(()),
        _ => tempfile::tempfile_in(made_folder(path)?).map(drop),
    }
}

/// The folder of `path`, made if missing.
fn made_folder(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    Ok(folder)
}

/// Writes a result that anybody may read. It appears whole or not at all; its folder is made if missing.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A device or a pipe takes the bytes as they come: renaming a file over it would destroy it.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    put(made_folder(path)?, path, bytes, true, Readers::Anybody)
}
