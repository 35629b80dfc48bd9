//! The files: magic, version, SHA-256 of the body, body (postcard).

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::features::mfcc;
use crate::inference::{EMBEDDING_DIM, VECTOR_DIM};
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// What tells one kind of file from another, and its version: another one is refused.
struct Kind {
    magic: &'static [u8; 8],
    version: u8,
    name: &'static str,
}

const PROFILE: Kind = Kind { magic: b"WAKEWORD", version: 3, name: "a profile" };
const VOICE: Kind = Kind { magic: b"WAKEVOIC", version: 1, name: "a speaker's voice" };
const MAGIC: usize = 8;
const DIGEST: usize = 32;
const BODY: usize = MAGIC + 1 + DIGEST;

pub(super) fn encode(profile: &Profile) -> Result<Vec<u8>, String> {
    seal(&PROFILE, profile)
}

pub(super) fn encode_voice(voice: &Voice) -> Result<Vec<u8>, String> {
    seal(&VOICE, voice)
}

fn seal(kind: &Kind, content: &impl Serialize) -> Result<Vec<u8>, String> {
    let body = postcard::to_stdvec(content).map_err(|error| error.to_string())?;
    let mut bytes = kind.magic.to_vec();
    bytes.push(kind.version);
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The error is a reason in words.
fn open<T: DeserializeOwned>(kind: &Kind, bytes: &[u8]) -> Result<T, String> {
    if bytes.len() < BODY || !bytes.starts_with(kind.magic) {
        return Err(format!("not {}", kind.name));
    }
    let version = bytes[MAGIC];
    if version != kind.version {
        return Err(format!("format version {version}, this program reads version {}", kind.version));
    }
    let (digest, body) = bytes[MAGIC + 1..].split_at(DIGEST);
    if Sha256::digest(body).as_slice() != digest {
        return Err("damaged (its checksum is wrong)".into());
    }
    postcard::from_bytes(body).map_err(|error| format!("damaged ({error})"))
}

/// The error is a reason in words.
pub(super) fn decode_voice(bytes: &[u8]) -> Result<Voice, String> {
    let voice: Voice = open(&VOICE, bytes)?;
    if voice.embedding.len() != EMBEDDING_DIM {
        return Err("damaged (shapes)".into());
    }
    Ok(voice)
}

/// The error is a reason in words.
pub(super) fn decode(bytes: &[u8]) -> Result<Profile, String> {
    let profile: Profile = open(&PROFILE, bytes)?;
    let sound = profile.takes.iter().all(|take| {
        let parts =
            [(&take.vectors, VECTOR_DIM), (&take.cepstra, mfcc::DIM), (&take.noisy_cepstra, mfcc::DIM)];
        [&take.embedding, &take.noisy_embedding].iter().all(|embedding| embedding.len() == EMBEDDING_DIM)
            && parts.iter().all(|(frames, dim)| frames.dim() == *dim && !frames.is_empty())
    });
    if profile.takes.is_empty() || !sound {
        return Err("damaged (shapes)".into());
    }
    Ok(profile)
}
