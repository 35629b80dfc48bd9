//! Near words from files.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;
use wakeword::enroll::{Quality, add_near_words, near_word, takes};
use wakeword::models::Models;
use wakeword::profile::Profile;

use super::screen::Screen;
use super::{Args, Context};

/// Adds what the recordings in `places` hold to the near words of `profile`; one that cannot be used fails.
pub fn learn(models: &Models, profile: &mut Profile, places: &[PathBuf]) -> anyhow::Result<()> {
    let limits = Quality::built_in()?;
    let mut words = Vec::new();
    for path in takes::files(places)? {
        let recording = takes::read_one(&path)?;
        let word = near_word(models, &limits, profile, &recording.clip.samples);
        words.push(word.with_context(|| format!("{}: not used as a near word", path.display()))?);
    }
    add_near_words(profile, words);
    Ok(())
}

/// Adds near words alone to a stored profile.
pub fn teach(context: &Context, args: &Args, profile: &Profile, screen: &Screen) -> anyhow::Result<()> {
    let models = context.models()?;
    anyhow::ensure!(
        profile.models == models.fingerprint,
        "profile {:?} was made with other models; enrol again with --replace",
        profile.name
    );
    let mut taught = profile.clone();
    learn(&models, &mut taught, &args.near)?;
    let path = context.store()?.put(&taught, true)?;
    let count = taught.near_words.len();
    let line = json!({
        "event": "near-words",
        "name": taught.name,
        "near_words": count,
        "file": path.to_string_lossy(),
    });
    let text = format!("{} is now told from {count} near words\nprofile: {}", taught.phrase, path.display());
    screen.result(&line, &text).context("standard output")
}
