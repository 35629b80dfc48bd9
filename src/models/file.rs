//! Files of a model folder, which anybody may have written.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// The content of a regular file of at most `most` bytes. Never waits: a pipe, a device or a folder is refused before
/// anything is read of it.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    // To open a device may do something by itself.
    regular(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file: File = options.open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    if metadata.len() > most {
        return Err(Error::new(ErrorKind::FileTooLarge, too_large(most)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow meanwhile.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, too_large(most)));
    }
    Ok(bytes)
}

fn too_large(most: u64) -> String {
    format!("file too large: more than {} MiB", most >> 20)
}

fn regular(metadata: &std::fs::Metadata) -> Result<(), Error> {
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() { Ok(()) } else { Err(Error::new(ErrorKind::InvalidInput, "not a regular file")) }
}
