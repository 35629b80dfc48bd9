//! `wakeword sbi`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wakeword::batch::sbi::phrases::PhraseList;
use wakeword::batch::sbi::{image, recognise, scp, takes};
use wakeword::profile::Profile;

use super::{Context, Outcome, load_all, output};

/// File of results in the result folder.
const RESULTS: &str = "raw_rec.txt";

/// Arguments of `sbi`.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  wakeword sbi build image --from takes/ --language zh && cd image && ./SBI wav.scp results")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Write a folder that names the enrolled phrase in each of many recordings (SpeechIO's interface)
    #[command(after_help = "\
Examples:
  wakeword sbi build image --profiles anna anna-lights --language en
  wakeword sbi build image --from takes/ --language zh --author Anna --email anna@example.org

The folder holds SBI, model.yaml, docker/Dockerfile and assets/ with this program and the profiles; it runs \
wherever it is copied to. With --from, takes/PHRASE/ or takes/SPEAKER/PHRASE/ hold two or more takes of the \
phrase that is their name; they do not become profiles of the daemon.")]
    Build(BuildArgs),
    /// Recognise a list of recordings; this is what the folder's SBI calls
    #[command(after_help = "\
Example:
  wakeword sbi run wav.scp results

Lines of WAV_SCP are ID<TAB>PATH, lines of RESULT_DIR/raw_rec.txt ID<TAB>TEXT. The text is empty where no \
enrolled phrase fits, and where a recording cannot be used, which is named on stderr.")]
    Run {
        /// List of recordings
        wav_scp: PathBuf,
        /// Folder for the results, made if missing
        result_dir: PathBuf,
    },
}

#[derive(clap::Args)]
struct BuildArgs {
    /// Folder to write
    out: PathBuf,
    /// Enrolled profiles to take [default: all, unless --from is given]
    #[arg(long, num_args = 1.., value_name = "NAME")]
    profiles: Vec<String>,
    /// Folder with a folder of takes for each phrase
    #[arg(long, value_name = "DIR", conflicts_with = "profiles")]
    from: Option<PathBuf>,
    /// Language of the phrases by ISO 639-1: two letters, such as zh or en
    #[arg(long, value_name = "CODE", value_parser = language)]
    language: String,
    /// Who submits it
    #[arg(long, value_name = "NAME", default_value = "")]
    author: String,
    /// For whom
    #[arg(long, value_name = "NAME", default_value = "")]
    entity: String,
    /// Where the author is reached
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    email: String,
}

/// The platform's own programs are called by this code.
fn language(code: &str) -> Result<String, &'static str> {
    let good = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase());
    good.then(|| code.to_owned()).ok_or("use a code of two small letters, such as zh or en")
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Build(args) => build(context, args),
        Command::Run { wav_scp, result_dir } => recognise_list(context, &wav_scp, &result_dir),
    }
}

fn build(context: &Context, args: BuildArgs) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        context.config.models.path.is_none(),
        "the image holds the built-in models only: run without [models] path in the configuration"
    );
    let models = context.models()?;
    let profiles: Vec<Profile> = match &args.from {
        Some(folder) => takes::enrol(&models, folder)?,
        None => {
            context.profiles(&models, &args.profiles)?.iter().map(|profile| (**profile).clone()).collect()
        }
    };
    if let Some(bad) = profiles.iter().find(|profile| profile.phrase.contains(['\n', '\r', '\t'])) {
        anyhow::bail!(
            "the phrase {:?} holds a tab or a line break, which no line of results can",
            bad.phrase
        );
    }
    let BuildArgs { language, author, entity, email, .. } = args;
    let about = image::About { language, author, entity, email };
    let program = std::env::current_exe().context("where this program is")?;
    image::write(&args.out, &about, &program, &profiles)?;
    eprintln!("{:?}: {} profiles; run ./SBI WAV_SCP RESULT_DIR in it", args.out, profiles.len());
    Ok(Outcome::Done)
}

/// Never fails because of a recording: one bad file must not end an evaluation.
fn recognise_list(context: &Context, wav_scp: &Path, result_dir: &Path) -> anyhow::Result<Outcome> {
    let warn = |warning: String| output::warn(warning);
    let list = std::fs::read(wav_scp).with_context(|| format!("{wav_scp:?}"))?;
    let utterances = scp::parse(&list, &|warning| warn(format!("{wav_scp:?}: {warning}")));
    // Asked before the work rather than after it.
    std::fs::create_dir_all(result_dir).with_context(|| format!("{result_dir:?}"))?;
    let models = context.models()?;
    // Whoever runs an image is not who made it.
    let profiles: Vec<Profile> = load_all(&context.store()?.clone().for_anybody(), &models, &[])?;
    let phrases = PhraseList::new(&models, &profiles);
    let lines = recognise(&phrases, &utterances, &warn);
    let results = result_dir.join(RESULTS);
    wakeword::batch::write_whole(&results, &lines).with_context(|| format!("{results:?}"))?;
    Ok(Outcome::Done)
}
