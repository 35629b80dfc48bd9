use std::fs;

use tempfile::TempDir;

use super::manifest::FILE as MANIFEST;
use super::*;

const ROLES: [(Role, &str); 3] = [
    (Role::KeywordEncoder, "keyword_encoder.onnx"),
    (Role::SpeakerEncoder, "speaker_encoder.onnx"),
    (Role::Cohort, "cohort.bin"),
];

/// The built-in models by the names of their files.
fn built_in_files() -> [(&'static str, &'static [u8]); 3] {
    ROLES.map(|(role, file)| (file, built_in(role)))
}

/// A model folder of one's own.
struct Folder(TempDir);

impl Folder {
    /// The built-in models as files.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(MANIFEST), include_bytes!("../../models/manifest.toml")).unwrap();
        for (name, bytes) in built_in_files() {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn manifest(&self, change: impl Fn(String) -> String) {
        let text = fs::read_to_string(self.path(MANIFEST)).unwrap();
        fs::write(self.path(MANIFEST), change(text)).unwrap();
    }

    /// Replaces a file, and its checksum in the manifest.
    fn replace(&self, name: &str, bytes: &[u8]) {
        let old = hex(&Sha256::digest(fs::read(self.path(name)).unwrap()));
        fs::write(self.path(name), bytes).unwrap();
        self.manifest(|text| text.replace(&old, &hex(&Sha256::digest(bytes))));
    }

    /// Fails unless loading does, with a message that names `file` and says `part`.
    #[track_caller]
    fn refuses(&self, file: &str, part: &str) -> ModelError {
        let error = Models::load(Some(self.0.path())).err().unwrap();
        let message = error.to_string();
        assert!(message.starts_with(&format!("{:?}", self.path(file))), "{message}");
        assert!(message.contains(part), "{message}");
        error
    }
}

#[test]
fn a_copy_of_the_built_in_models_equals_them() {
    for (name, bytes) in built_in_files() {
        assert!(program::copy(bytes).is_some_and(|copy| copy == bytes), "{name}");
    }
}

#[test]
fn the_built_in_files_load_from_a_folder() {
    let built_in = Models::load(None).unwrap();
    let folder = Models::load(Some(Folder::new().0.path())).unwrap();
    assert_eq!(folder.fingerprint, built_in.fingerprint);
}

#[test]
fn a_folder_may_leave_out_files() {
    let folder = Folder::new();
    folder.manifest(|text| text.split("\n[[model]]").nth(1).map(|one| format!("[[model]]{one}")).unwrap());
    for (_, file) in &ROLES[1..] {
        fs::remove_file(folder.path(file)).unwrap();
    }
    let built_in = Models::load(None).unwrap();
    assert_eq!(Models::load(Some(folder.0.path())).unwrap().fingerprint, built_in.fingerprint);
}

#[test]
fn a_damaged_file_is_refused_before_parsing() {
    for (name, _) in built_in_files() {
        let folder = Folder::new();
        let mut bytes = fs::read(folder.path(name)).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(folder.path(name), &bytes).unwrap();
        let error = folder.refuses(name, "damaged or not this model");
        assert!(matches!(error, ModelError::Checksum { .. }));
        fs::write(folder.path(name), b"").unwrap();
        assert!(matches!(folder.refuses(name, "SHA-256"), ModelError::Checksum { .. }));
        fs::remove_file(folder.path(name)).unwrap();
        assert!(matches!(folder.refuses(name, "No such file"), ModelError::Read { .. }));
        fs::create_dir(folder.path(name)).unwrap();
        assert!(matches!(folder.refuses(name, "directory"), ModelError::Read { .. }));
        // It has no blocks on disk.
        fs::remove_dir(folder.path(name)).unwrap();
        fs::File::create(folder.path(name)).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(folder.refuses(name, "too large"), ModelError::Read { .. }));
    }
}

#[test]
fn foreign_files_are_errors() {
    let [(_, keyword), (_, speaker), (_, cohort)] = built_in_files();
    let mut cohort: CohortTable = postcard::from_bytes(cohort).unwrap();
    cohort.members.clear();
    let cohort = postcard::to_stdvec(&cohort).unwrap();
    let cases: [(&str, &[u8], &str); 8] = [
        ("keyword_encoder.onnx", b"no graph at all", "keyword encoder"),
        ("keyword_encoder.onnx", b"", "keyword encoder"),
        ("keyword_encoder.onnx", speaker, "keyword encoder"),
        ("keyword_encoder.onnx", &keyword[..keyword.len() / 2], "keyword encoder"),
        ("speaker_encoder.onnx", keyword, "speaker encoder"),
        ("cohort.bin", b"", "not a usable model"),
        ("cohort.bin", &[0xff; 1000], "not a usable model"),
        ("cohort.bin", &cohort, "no members"),
    ];
    for (name, bytes, part) in cases {
        let folder = Folder::new();
        folder.replace(name, bytes);
        assert!(matches!(folder.refuses(name, part), ModelError::Foreign { .. }));
    }
}

#[test]
fn a_malformed_manifest_is_an_error() {
    let folder = Folder::new();
    folder.manifest(|text| text.replace("role = \"cohort\"", "role = \"choir\""));
    folder.refuses(MANIFEST, "unknown variant `choir`, expected one of `keyword_encoder`");
    for text in ["", "[[model]]\nrole = 1\n", "<html>", "model = []\nmodel = []\n", "\u{0}"] {
        folder.manifest(|_| text.into());
        assert!(
            matches!(folder.refuses(MANIFEST, "not a model manifest"), ModelError::Manifest { .. }),
            "{text:?}"
        );
    }
    fs::write(folder.path(MANIFEST), [0xff, 0xfe]).unwrap();
    folder.refuses(MANIFEST, "not a model manifest");
    fs::remove_file(folder.path(MANIFEST)).unwrap();
    folder.refuses(MANIFEST, "No such file");
    let absent = Models::load(Some(Path::new("/nowhere"))).err().unwrap().to_string();
    assert!(absent.starts_with("\"/nowhere/manifest.toml\": No such file"), "{absent}");
}
