//! Writes what `make bench` plays to wakeword and to others: 16 kHz mono WAV of 16 bits, which all of them read.
//!
//! usage: bench_audio FOLDER MINUTES [SPEECH [SILENCE]]
//!
//! `speech.wav` is SPEECH or, without it (or with ""), the sentences and near misses of the demo's living room
//! over and over, and once a minute the phrase; `silence.wav` is SILENCE or quiet noise. Beside them: the beginning
//! of each, the living room, a dataset in the Auto-KWS layout, and profiles: in `profiles-N` the demo's N times, in
//! `profiles-long` one of nearly six seconds.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wakeword::audio::{FileSource, read_clip};
use wakeword::enroll::{self, takes};
use wakeword::features::SAMPLE_RATE;
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::store::Store;

type Done = Result<(), Box<dyn Error>>;

/// The shortest audio that every program accepts: what is left of its costs is its start.
const START_S: f64 = 0.5;
/// Amplitude of the quiet room: -65 dBFS.
const QUIET: f32 = 1e-3;
/// Kept around what is said.
const MARGIN_S: f64 = 0.1;
/// Phrases in a long one.
const REPEATS: usize = 5;
/// Enrolment takes no longer takes.
const LONGEST_S: f64 = 5.95;
const SPEAKERS: usize = 8;
/// As many clips of a speaker, and as long ones, as the challenge has: each is said so often ...
const ROUNDS: usize = 3;
/// ... and has as much quiet before and after it.
const AROUND_S: f64 = 0.7;
const PROFILES: [usize; 4] = [1, 5, 20, 100];

struct Row {
    start: f64,
    end: f64,
    kind: String,
    wake: bool,
}

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, minutes, own @ ..] = &arguments[..] else {
        return Err("usage: bench_audio FOLDER MINUTES [SPEECH [SILENCE]]".into());
    };
    let (folder, length) = (Path::new(folder), samples(60.0 * minutes.parse::<f64>()?));
    let own = |index: usize| own.get(index).filter(|path| !path.is_empty());
    fs::create_dir_all(folder)?;
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo");
    let room = read_clip(&demo.join("living-room.flac"))?.samples;
    let rows = rows(&fs::read_to_string(demo.join("living-room.tsv"))?)?;
    let takes: Vec<PathBuf> = (1..=5).map(|take| demo.join(format!("enroll/{take}.wav"))).collect();

    let mut random = fastrand::Rng::with_seed(1);
    let mut noise =
        |length: usize| (0..length).map(|_| QUIET * (2.0 * random.f32() - 1.0)).collect::<Vec<_>>();
    let silence = own(1).map_or_else(|| Ok(noise(length)), |path| beginning(path, length))?;
    let speech = own(0).map_or_else(|| Ok(talk(&room, &rows, length)), |path| beginning(path, length))?;
    for (name, audio) in [("speech", &speech), ("silence", &silence)] {
        write(&folder.join(format!("{name}.wav")), audio)?;
        write(&folder.join(format!("{name}-start.wav")), &audio[..samples(START_S).min(audio.len())])?;
    }
    write(&folder.join("living-room.wav"), &room)?;

    profiles(folder, &takes)?;
    dataset(folder, &room, &rows, &takes, noise)
}

fn samples(seconds: f64) -> usize {
    (seconds * SAMPLE_RATE as f64) as usize
}

fn rows(table: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [start, end, _, _, expected, kind] = fields[..] else { return Err(line.into()) };
        Ok(Row { start: start.parse()?, end: end.parse()?, kind: kind.into(), wake: expected == "accept" })
    };
    table.lines().skip(1).map(row).collect()
}

fn cut<'a>(room: &'a [f32], row: &Row) -> &'a [f32] {
    &room[samples(row.start - MARGIN_S)..samples(row.end + MARGIN_S).min(room.len())]
}

/// Continuous speech.
fn talk(room: &[f32], rows: &[Row], length: usize) -> Vec<f32> {
    let talk: Vec<&Row> = rows.iter().filter(|row| matches!(&*row.kind, "speech" | "near-miss")).collect();
    let phrases: Vec<&Row> = rows.iter().filter(|row| row.wake).collect();
    let (mut speech, mut minutes) = (Vec::with_capacity(length), 0);
    for row in talk.iter().cycle() {
        speech.extend_from_slice(cut(room, row));
        if speech.len() >= samples(60.0 * minutes as f64 + 30.0) {
            speech.extend_from_slice(cut(room, phrases[minutes % phrases.len()]));
            minutes += 1;
        }
        if speech.len() >= length {
            break;
        }
    }
    speech.truncate(length);
    speech
}

/// The first `length` samples of a recording.
fn beginning(path: &String, length: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let (mut source, mut samples) = (FileSource::open(Path::new(path))?, Vec::new());
    while samples.len() < length && source.read(&mut samples)? {}
    samples.truncate(length);
    Ok(samples)
}

fn profiles(folder: &Path, takes: &[PathBuf]) -> Done {
    let models = Models::load(None)?;
    let demo = takes::learn(&models, &takes::read(takes)?)?;
    for count in PROFILES {
        let store = Store::new(folder.join(format!("profiles-{count}")));
        for number in 1..=count {
            let name = format!("demo-{number}");
            store.save(&Profile::new(&name, "hello sunflower", &models.fingerprint, demo.clone()))?;
        }
    }
    let clips = takes.iter().map(|take| read_clip(take)).collect::<Result<Vec<_>, _>>()?;
    let said: Vec<&[f32]> = clips.iter().map(|clip| spoken(&clip.samples)).collect();
    let long = |first: usize| {
        let mut long: Vec<f32> =
            (0..REPEATS).flat_map(|next| said[(first + next) % said.len()].to_vec()).collect();
        long.truncate(samples(LONGEST_S));
        long
    };
    let long: Vec<Vec<f32>> = (0..said.len()).map(long).collect();
    let learned = enroll::learn(&models, &long.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let profile = Profile::new("long", "hello sunflower five times", &models.fingerprint, learned);
    Store::new(folder.join("profiles-long")).save(&profile)?;
    Ok(())
}

/// What lies between the quiet at the ends of a take.
fn spoken(take: &[f32]) -> &[f32] {
    let loud = |sample: &f32| sample.abs() > 0.02;
    let start = take.iter().position(loud).unwrap_or(0);
    let end = take.iter().rposition(loud).map_or(take.len(), |last| last + 1);
    &take[start..end]
}

/// The demo voice as several speakers, with its living room in clips.
fn dataset(
    folder: &Path,
    room: &[f32],
    rows: &[Row],
    takes: &[PathBuf],
    mut noise: impl FnMut(usize) -> Vec<f32>,
) -> Done {
    for speaker in 1..=SPEAKERS {
        let speaker = format!("speaker-{speaker}");
        let place = folder.join("dataset").join(&speaker);
        fs::create_dir_all(place.join("enroll"))?;
        for take in takes {
            fs::copy(take, place.join("enroll").join(take.file_name().unwrap_or_default()))?;
        }
        let mut labels = String::new();
        for (number, row) in std::iter::repeat_n(rows, ROUNDS).flatten().enumerate() {
            let name = format!("{number:02}.wav");
            let mut quiet = || noise(samples(AROUND_S));
            write(&place.join("test").join(&name), &[&quiet(), cut(room, row), &quiet()].concat())?;
            labels += &format!("{name}\t{}\n", u8::from(row.wake));
        }
        fs::create_dir_all(folder.join("solution"))?;
        fs::write(folder.join("solution").join(format!("{speaker}_test_labels.txt")), labels)?;
    }
    Ok(())
}

fn write(path: &Path, audio: &[f32]) -> Done {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec)?;
    for sample in audio {
        wav.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16)?;
    }
    Ok(wav.finalize()?)
}
