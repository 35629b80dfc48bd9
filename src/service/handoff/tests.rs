use std::fs::File;
use std::io::Read as _;

use super::*;

/// A tenth of a second, so that blocks and writes never line up.
const BLOCK: usize = 1600;

/// Sample `n` of a signal in which every sample differs from its 60,000 neighbours.
fn signal(n: u64) -> i16 {
    (n % 60_000) as i16
}

/// Hears `blocks` blocks; the microphone began at 5 s and the losses come back.
fn hear(handoff: &mut Handoff, blocks: usize) -> Vec<(u32, u64)> {
    let mut losses = Vec::new();
    for _ in 0..blocks {
        let from = handoff.head;
        let block: Vec<f32> = (from..from + BLOCK as u64).map(|n| f32::from(signal(n)) / 32768.0).collect();
        let ends_us = 5_000_000 + (from + BLOCK as u64) * 1_000_000 / 16_000;
        handoff.push(&block, ends_us, |id, samples| losses.push((id, samples)));
    }
    losses
}

/// What can be read without waiting, up to `samples`.
fn take(file: &mut File, samples: usize) -> Vec<i16> {
    let mut bytes = Vec::new();
    if let Err(error) = file.take((samples * BYTES) as u64).read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    assert!(bytes.len().is_multiple_of(BYTES), "a torn sample");
    bytes.chunks_exact(BYTES).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn expected(from: u64, samples: usize) -> Vec<i16> {
    (from..from + samples as u64).map(signal).collect()
}

fn open(handoff: &mut Handoff, preroll_ms: u32) -> (AudioStream, File) {
    let stream = handoff.open(":1.1", preroll_ms, None).unwrap();
    let file = File::from(stream.reader.try_clone().unwrap());
    rustix::io::ioctl_fionbio(&file, true).unwrap();
    (stream, file)
}

#[test]
fn no_sample_is_missing_between_the_past_and_the_present() {
    let mut handoff = Handoff::new(2);
    hear(&mut handoff, 35);
    let (stream, mut file) = open(&mut handoff, 500);
    assert_eq!(stream.preroll_samples, 8000);
    assert_eq!(stream.first_us, 5_000_000 + 3_000_000);
    assert_eq!(take(&mut file, 8000), expected(48_000, 8000));
    for block in 0..30 {
        assert_eq!(hear(&mut handoff, 1), []);
        assert_eq!(take(&mut file, BLOCK), expected(56_000 + block * BLOCK as u64, BLOCK));
    }
}

#[test]
fn more_of_the_past_than_is_kept_is_not_invented() {
    let mut handoff = Handoff::new(2);
    hear(&mut handoff, 5);
    assert_eq!(open(&mut handoff, u32::MAX).0.preroll_samples, 8000);
    hear(&mut handoff, 100);
    let (stream, mut file) = open(&mut handoff, u32::MAX);
    assert_eq!(stream.preroll_samples, 32_000);
    // More than a pipe holds: the rest comes with what is heard next.
    assert_eq!(take(&mut file, 20_000), expected(105 * 1600 - 32_000, 20_000));
    hear(&mut handoff, 1);
    assert_eq!(take(&mut file, 12_000), expected(105 * 1600 - 12_000, 12_000));
}

#[test]
fn a_phrase_is_only_promised_where_all_of_it_is() {
    let mut handoff = Handoff::new(2);
    hear(&mut handoff, 30);
    let phrase = |handoff: &mut Handoff, ms, phrase| handoff.open("", ms, Some(phrase)).unwrap().phrase;
    assert_eq!(phrase(&mut handoff, 1000, (33_000, 47_000)), Some((1000, 15_000)));
    assert_eq!(phrase(&mut handoff, 1000, (31_999, 47_000)), None);
    assert_eq!(phrase(&mut handoff, 1000, (33_000, 48_001)), None);
    assert_eq!(phrase(&mut handoff, 0, (33_000, 47_000)), None);
    handoff.wipe();
    hear(&mut handoff, 5);
    assert_eq!(phrase(&mut handoff, 1000, (47_000, 49_000)), None, "it began before the pause");
    assert_eq!(phrase(&mut handoff, 1000, (48_800, 55_000)), Some((800, 7000)));
}

#[test]
fn a_slow_reader_does_not_affect_the_others() {
    let mut handoff = Handoff::new(1);
    let (quick, mut quick_file) = open(&mut handoff, 0);
    let (slow, mut slow_file) = open(&mut handoff, 0);
    let mut lost = 0;
    let mut told = 0;
    for block in 0..100 {
        for (id, samples) in hear(&mut handoff, 1) {
            assert_eq!(id, slow.id, "{} had not lost anything", quick.id);
            lost += samples;
            told += 1;
        }
        assert_eq!(take(&mut quick_file, BLOCK), expected(block * BLOCK as u64, BLOCK));
    }
    assert!((3..=8).contains(&told), "ten seconds, {told} times told");
    // What its pipe held, then what is left: the gap is as long as was told.
    let in_pipe = take(&mut slow_file, usize::MAX / BYTES);
    assert_eq!(in_pipe, expected(0, in_pipe.len()));
    for (_, samples) in hear(&mut handoff, 1) {
        lost += samples;
    }
    let next = in_pipe.len() as u64 + lost;
    assert_eq!(take(&mut slow_file, 8000), expected(next, 8000));
}

#[test]
fn muted_audio_cannot_be_read() {
    let mut handoff = Handoff::new(1);
    hear(&mut handoff, 10);
    handoff.wipe();
    assert!(handoff.ring.iter().all(|&byte| byte == 0));
    let (stream, mut file) = open(&mut handoff, 1000);
    assert_eq!(stream.preroll_samples, 0);
    hear(&mut handoff, 1);
    assert_eq!(take(&mut file, BLOCK), expected(16_000, BLOCK));
}

#[test]
fn a_reader_that_closed_keeps_no_place() {
    let mut handoff = Handoff::new(1);
    let open: Vec<AudioStream> =
        (0..MAX_READERS).map(|number| handoff.open(&number.to_string(), 0, None).unwrap()).collect();
    let error = handoff.open("", 0, None).unwrap_err();
    assert_eq!(error.to_string(), "8 programs are reading already");
    let mut ids: Vec<u32> = open.iter().map(|stream| stream.id % MAX_READERS as u32).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..MAX_READERS as u32).collect::<Vec<_>>());
    drop(open);
    hear(&mut handoff, 1);
    assert_eq!(handoff.open("", 0, None).unwrap().id, MAX_READERS as u32 * MAX_READERS as u32);
}

#[test]
fn a_client_that_left_reads_no_more() {
    let mut handoff = Handoff::new(1);
    let (_, mut file) = open(&mut handoff, 0);
    let (_others, mut other) = (handoff.open(":1.2", 0, None).unwrap(), open(&mut handoff, 0).1);
    handoff.close(":1.1");
    hear(&mut handoff, 1);
    assert_eq!(
        (file.read(&mut [0; 2]).unwrap(), other.read(&mut [0; 2]).unwrap()),
        (0, 0),
        "not at their end"
    );
    assert!(handoff.readers.iter().flatten().map(|reader| &*reader.owner).eq([":1.2"]));
}

#[test]
fn one_client_leaves_room_for_others() {
    let mut handoff = Handoff::new(1);
    let _open: Vec<AudioStream> =
        (0..MAX_READERS_PER_CLIENT).map(|_| handoff.open(":1.1", 0, None).unwrap()).collect();
    let error = handoff.open(":1.1", 0, None).unwrap_err();
    assert_eq!(error.to_string(), "you read 4 streams already; close one");
    handoff.open(":1.2", 0, None).unwrap();
}

#[test]
fn the_end_of_the_daemon_ends_the_stream() {
    let mut handoff = Handoff::new(1);
    hear(&mut handoff, 2);
    let (_, mut file) = open(&mut handoff, 100);
    drop(handoff);
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), BLOCK * BYTES);
}

#[test]
fn loud_audio_saturates() {
    let mut handoff = Handoff::new(1);
    handoff.push(&[1.0, -1.0, 40.0, -40.0, f32::NAN, 0.5], 1, |_, _| {});
    let (_, mut file) = open(&mut handoff, 1);
    assert_eq!(take(&mut file, 6), [32767, -32768, 32767, -32768, 0, 16384]);
}
