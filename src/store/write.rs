//! Files that appear whole or not at all, for their owner alone.

use std::fs::{DirBuilder, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use super::StoreError;
use super::access::{FILE_MODE, FOLDER_MODE};

/// Writes `bytes` to `path`, whose folder is made if missing. Without `replace` a file that is there stays, and
/// the error is an `Io` of kind `AlreadyExists`.
pub fn whole(path: &Path, bytes: &[u8], replace: bool) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io { path: path.into(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder_failed = |source| StoreError::Io { path: folder.into(), source };
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(folder_failed)?;
    // Temporary files are created for their owner alone; the umask may have closed them further.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE)).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    let placed = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map_err(|error| failed(error.error))?;
    // The new name is only safe once the folder is on disk too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(folder_failed)
}
