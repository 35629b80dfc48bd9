//! Files that appear whole or not at all.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::StoreError;
use super::access::{FILE_MODE, FOLDER_MODE};

/// What a file is called until it takes its place: `.NAME.` and something random, then this.
const UNFINISHED: &str = ".new";
/// What earlier versions called such a file, before six random characters.
const EARLIER: &str = ".tmp";
/// A file of that kind is written within a moment: after so long its writer is no more.
const ABANDONED: Duration = Duration::from_secs(60);

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever the umask allows.
    Anybody,
}

/// Writes `bytes` to `path` for its owner alone; the folder is made if missing. Without `replace` a file that is
/// there stays, and the error is an `Io` of kind `AlreadyExists`.
pub fn whole(path: &Path, bytes: &[u8], replace: bool) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder_failed = |source| StoreError::io(folder, source);
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(folder_failed)?;
    put(folder, path, bytes, replace, Readers::Owner).map_err(failed)?;
    // The new name is only safe once the folder is on disk too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(folder_failed)
}

/// Writes `bytes` to `path` in `folder`, which exists. Without `replace` a file that is there stays, and the error is
/// of kind `AlreadyExists`.
pub fn put(folder: &Path, path: &Path, bytes: &[u8], replace: bool, readers: Readers) -> io::Result<()> {
    match nameless(folder, readers) {
        Some(file) => {
            fill(&file, bytes, readers)?;
            place(&file, path, replace)
        }
        None => named(folder, path, bytes, replace, readers),
    }
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Owner => FILE_MODE,
            Readers::Anybody => 0o666,
        }
    }
}

/// A file without a name, of which a crash leaves nothing. Not every filesystem has such files.
fn nameless(folder: &Path, readers: Readers) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::from_raw_mode(readers.mode())).ok().map(File::from)
}

fn fill(mut file: &File, bytes: &[u8], readers: Readers) -> io::Result<()> {
    if readers == Readers::Owner {
        // The umask may have closed it further.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a nameless file its name.
fn place(file: &File, path: &Path, replace: bool) -> io::Result<()> {
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| {
        rustix::fs::linkat(CWD, &*itself, CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
    };
    match link(path) {
        // No call puts a nameless file in the place of another.
        Err(error) if replace && error.kind() == ErrorKind::AlreadyExists => {
            let unfinished = unfinished(path, &format!("{:08x}", fastrand::u32(..)));
            link(&unfinished)?;
            std::fs::rename(&unfinished, path).inspect_err(|_| drop(std::fs::remove_file(&unfinished)))
        }
        linked => linked,
    }
}

fn named(folder: &Path, path: &Path, bytes: &[u8], replace: bool, readers: Readers) -> io::Result<()> {
    let prefix = unfinished(path, "").file_name().map(ToOwned::to_owned).unwrap_or_default();
    let permissions = Permissions::from_mode(readers.mode());
    let mut builder = tempfile::Builder::new();
    let file = builder.prefix(&prefix).suffix(UNFINISHED).permissions(permissions).tempfile_in(folder)?;
    fill(file.as_file(), bytes, readers)?;
    let placed = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|error| error.error)
}

/// The name of what is to become `path`; without `random`, how all such names begin.
fn unfinished(path: &Path, random: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    if !random.is_empty() {
        name.push(random);
        name.push(UNFINISHED);
    }
    path.with_file_name(name)
}

/// Deletes what writers that were killed have left in `folder`, at whatever age if it was to become `gone`. What
/// cannot be deleted now is found the next time.
pub fn sweep(folder: &Path, gone: Option<&Path>) {
    let begins = gone.map(|path| unfinished(path, ""));
    let begins = begins.as_deref().and_then(Path::file_name);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let ours = name.starts_with(b".") && name.ends_with(UNFINISHED.as_bytes());
        let earlier = name.starts_with(EARLIER.as_bytes()) && name.len() == EARLIER.len() + 6;
        let unwanted = begins.is_some_and(|begins| name.starts_with(begins.as_encoded_bytes()));
        if (ours && unwanted) || ((ours || earlier) && is_abandoned(&entry)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(entry: &std::fs::DirEntry) -> bool {
    let written = entry.metadata().and_then(|found| found.modified());
    written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age > ABANDONED))
}
