//! The profile file: magic, version, SHA-256 of the body, body (postcard).

use sha2::{Digest, Sha256};

use crate::features::mfcc;
use crate::inference::{EMBEDDING_DIM, VECTOR_DIM};
use crate::profile::Profile;

const MAGIC: &[u8; 8] = b"WAKEWORD";
/// Version of the body; another one is refused.
const VERSION: u8 = 2;
const DIGEST: usize = 32;
const BODY: usize = MAGIC.len() + 1 + DIGEST;

pub(super) fn encode(profile: &Profile) -> Result<Vec<u8>, String> {
    let body = postcard::to_stdvec(profile).map_err(|error| error.to_string())?;
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The error is a reason in words.
pub(super) fn decode(bytes: &[u8]) -> Result<Profile, String> {
    if bytes.len() < BODY || !bytes.starts_with(MAGIC) {
        return Err("not a profile".into());
    }
    let version = bytes[MAGIC.len()];
    if version != VERSION {
        return Err(format!("format version {version}, this program reads version {VERSION}"));
    }
    let (digest, body) = bytes[MAGIC.len() + 1..].split_at(DIGEST);
    if Sha256::digest(body).as_slice() != digest {
        return Err("damaged (its checksum is wrong)".into());
    }
    let profile: Profile = postcard::from_bytes(body).map_err(|error| format!("damaged ({error})"))?;
    let sound = profile.takes.iter().all(|take| {
        let parts = [(&take.vectors, VECTOR_DIM), (&take.cepstra, mfcc::DIM)];
        take.embedding.len() == EMBEDDING_DIM
            && parts.iter().all(|(frames, dim)| frames.dim() == *dim && !frames.is_empty())
    });
    if profile.takes.is_empty() || !sound {
        return Err("damaged (shapes)".into());
    }
    Ok(profile)
}
