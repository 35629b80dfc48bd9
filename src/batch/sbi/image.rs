//! The image folder of a SpeechIO submission.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::profile::Profile;
use crate::store::{Store, StoreError};

const SCRIPT: &str = "\
#!/bin/sh
# ./SBI WAV_SCP RESULT_DIR: writes RESULT_DIR/raw_rec.txt, a line \"ID<TAB>TEXT\" for every line of WAV_SCP.
set -eu
if [ $# != 2 ]; then
  echo \"usage: ./SBI WAV_SCP RESULT_DIR\" >&2
  exit 2
fi
assets=$(dirname -- \"$0\")/assets
exec \"$assets/wakeword\" --config /dev/null --store \"$assets/profiles\" sbi run \"$1\" \"$2\"
";

/// What `model.yaml` says of a submission.
#[derive(Clone, Debug)]
pub struct About {
    /// Language of the phrases by ISO 639-1, such as `zh`.
    pub language: String,
    /// Who submits it.
    pub author: String,
    /// For whom.
    pub entity: String,
    /// Where they are reached.
    pub email: String,
}

/// An image folder that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Something else is there.
    #[error("{0:?} exists and is not empty; choose another folder, or remove it first")]
    Exists(PathBuf),
    /// The system refused.
    #[error("{path:?}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// A profile cannot be copied.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the folder `out` with `program` and `profiles` in it. It appears whole or not at all.
pub fn write(out: &Path, about: &About, program: &Path, profiles: &[Profile]) -> Result<(), ImageError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ImageError::Io { path, source }
    };
    if out.is_file() || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ImageError::Exists(out.into()));
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let image = tempfile::tempdir_in(parent).map_err(failed(parent))?;
    let at = |name: &str| image.path().join(name);
    for folder in ["docker", "assets"] {
        fs::create_dir(at(folder)).map_err(failed(out))?;
    }
    let put = |name: &str, text: &str| fs::write(at(name), text).map_err(failed(&out.join(name)));
    put("SBI", SCRIPT)?;
    put("model.yaml", &model_yaml(about))?;
    put("docker/Dockerfile", &dockerfile())?;
    fs::copy(program, at("assets/wakeword")).map_err(failed(program))?;
    let store = Store::new(at("assets/profiles")).for_anybody();
    for profile in profiles {
        store.save(profile)?;
    }
    // Whoever runs the image is not who made it.
    open_to_all(image.path()).map_err(failed(out))?;
    for name in ["SBI", "assets/wakeword"] {
        fs::set_permissions(at(name), Permissions::from_mode(0o755)).map_err(failed(out))?;
    }
    fs::rename(image.path(), out).map_err(failed(out))?;
    // It has another name now; there is nothing left to clean up.
    let _ = image.keep();
    Ok(())
}

fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            open_to_all(&path)?;
        } else {
            fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

fn model_yaml(about: &About) -> String {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    // A JSON string is a YAML string, whatever is in it. The platform looks for the language with grep and awk: it
    // must stand there without quotes, and no other line may have that word.
    let quoted = |text: &str| serde_json::Value::from(text).to_string().replace("language", r"\u006canguage");
    format!(
        "date: {}\ntask: ASR\nlanguage: {}\nsample_rate: 16000\nauthor: {}\nentity: {}\nemail: {}\n",
        &date[..10],
        about.language,
        quoted(&about.author),
        quoted(&about.entity),
        quoted(&about.email)
    )
}

/// The program needs the C library of the system that it was built on, or a newer one, and that of ALSA, whose
/// package has another name in every release; the development package always brings it. The platform runs its own
/// scripts in the container, which need Python.
fn dockerfile() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"').to_owned())
    };
    let base = match (field("ID").as_deref(), field("VERSION_ID")) {
        (Some("debian"), Some(version)) => format!("debian:{version}-slim"),
        (Some("ubuntu"), Some(version)) => format!("ubuntu:{version}"),
        _ => "debian:stable-slim".into(),
    };
    format!(
        "FROM {base}\n\
         RUN apt-get update \\\n \
         && apt-get install -y --no-install-recommends libasound2-dev python3 \\\n \
         && rm -rf /var/lib/apt/lists/*\n"
    )
}
