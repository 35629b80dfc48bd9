//! Audio for other programs: what was heard just now, then what is heard until they close.

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, PipeWriter, Write as _};

use crate::control::{AudioStream, MAX_READERS, MAX_READERS_PER_CLIENT};
use crate::features::SAMPLE_RATE;

const BYTES: usize = size_of::<i16>();

/// A pipe takes a write of this size whole or not at all, so no sample is ever torn.
const WHOLE_WRITE: usize = 4096;

/// A loss that goes on is told every second.
const TELL_EVERY: u64 = SAMPLE_RATE as u64;

/// The last seconds of audio, and the readers that follow it.
///
/// Readers have no memory of their own: each is a position in the ring that all share. One that
/// falls further behind than the ring is long loses what was overwritten, and nobody else does.
pub struct Handoff {
    /// Signed 16 bit, little-endian; sample `n` lies at `n` modulo the length.
    ring: Vec<u8>,
    /// Samples heard since the start.
    head: u64,
    /// The oldest sample that the ring holds.
    oldest: u64,
    /// When the sample at `head` is heard, in microseconds.
    head_us: u64,
    readers: [Option<Reader>; MAX_READERS],
    opened: u32,
}

struct Reader {
    id: u32,
    /// Unique bus name of who reads; empty for the daemon itself.
    owner: String,
    pipe: PipeWriter,
    /// The next sample to write.
    next: u64,
    /// Lost and not told yet.
    lost: u64,
}

impl Handoff {
    /// Keeps the last `seconds` of audio, at least one: readers live on it. Memory is asked for here
    /// and never again.
    pub fn new(seconds: usize) -> Self {
        let length = seconds.max(1) * SAMPLE_RATE * BYTES;
        Self {
            ring: vec![0; length],
            head: 0,
            oldest: 0,
            head_us: 0,
            readers: [const { None }; MAX_READERS],
            opened: 0,
        }
    }

    /// Takes mono audio at 16 kHz, full scale 1, and passes it on without ever waiting for a reader.
    ///
    /// `heard_us` is when the block ended: CLOCK_MONOTONIC in microseconds. `lost` hears which stream
    /// lost how many samples, once its reader takes some again or after each second of loss.
    pub fn push(&mut self, samples: &[f32], heard_us: u64, mut lost: impl FnMut(u32, u64)) {
        let kept = self.kept();
        for &sample in samples {
            let sample = (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16;
            let place = self.place(self.head);
            self.ring[place..place + BYTES].copy_from_slice(&sample.to_le_bytes());
            self.head += 1;
        }
        self.oldest = self.oldest.max(self.head.saturating_sub(kept));
        self.head_us = heard_us;
        for slot in &mut self.readers {
            let Some(reader) = slot else { continue };
            let open = reader.follow(&self.ring, self.oldest, self.head);
            if reader.lost >= TELL_EVERY || (reader.lost > 0 && reader.next > self.oldest) {
                lost(reader.id, std::mem::take(&mut reader.lost));
            }
            if !open {
                *slot = None;
            }
        }
    }

    /// Begins a stream `preroll_ms` in the past, or as far back as there is audio.
    ///
    /// `phrase` is the last detected one: its first sample and the one after its last, counted in the
    /// samples pushed since the start.
    ///
    /// # Errors
    /// `owner` has [`MAX_READERS_PER_CLIENT`] already, all have [`MAX_READERS`], or the system has no descriptor left.
    pub fn open(
        &mut self,
        owner: &str,
        preroll_ms: u32,
        phrase: Option<(u64, u64)>,
    ) -> io::Result<AudioStream> {
        if self.readers.iter().flatten().filter(|reader| reader.owner == owner).count()
            >= MAX_READERS_PER_CLIENT
        {
            let text = format!("you read {MAX_READERS_PER_CLIENT} streams already; close one");
            return Err(io::Error::new(ErrorKind::QuotaExceeded, text));
        }
        let slot = self.readers.iter().position(Option::is_none).ok_or_else(|| {
            io::Error::new(ErrorKind::QuotaExceeded, format!("{MAX_READERS} programs are reading already"))
        })?;
        let (reader, pipe) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;

        let asked = u64::from(preroll_ms) * SAMPLE_RATE as u64 / 1000;
        let first = self.head.saturating_sub(asked).max(self.oldest);
        let preroll_samples = self.head - first;
        let phrase = phrase
            .filter(|&(start, end)| first <= start && start < end && end <= self.head)
            .map(|(start, end)| (start - first, end - first));
        let id = self.opened * MAX_READERS as u32 + slot as u32;
        self.opened = (self.opened + 1) % (u32::MAX / MAX_READERS as u32);

        let mut entry = Reader { id, owner: owner.into(), pipe, next: first, lost: 0 };
        entry.follow(&self.ring, self.oldest, self.head);
        self.readers[slot] = Some(entry);
        Ok(AudioStream { id, reader: reader.into(), preroll_samples, first_us: self.us(first), phrase })
    }

    /// Samples pushed since the start.
    pub fn heard(&self) -> u64 {
        self.head
    }

    /// When this sample was heard: CLOCK_MONOTONIC in microseconds.
    pub fn us(&self, sample: u64) -> u64 {
        let ago = self.head.saturating_sub(sample);
        self.head_us.saturating_sub(ago * 1_000_000 / SAMPLE_RATE as u64)
    }

    /// Ends the streams of a client that left.
    pub fn close(&mut self, owner: &str) {
        for slot in &mut self.readers {
            slot.take_if(|reader| reader.owner == owner);
        }
    }

    /// Forgets all audio kept: at a mute, and wherever the next block does not follow the last. Readers go on with what comes next; what they had not taken is lost.
    pub fn wipe(&mut self) {
        self.ring.fill(0);
        self.oldest = self.head;
    }

    fn kept(&self) -> u64 {
        (self.ring.len() / BYTES) as u64
    }

    fn place(&self, sample: u64) -> usize {
        (sample % self.kept()) as usize * BYTES
    }
}

impl Drop for Handoff {
    fn drop(&mut self) {
        self.wipe();
        // Not optimised away although nobody reads it again.
        std::hint::black_box(&self.ring);
    }
}

impl Reader {
    /// Writes what the pipe takes; false once the reader has closed it.
    fn follow(&mut self, ring: &[u8], oldest: u64, head: u64) -> bool {
        self.lost += oldest.saturating_sub(self.next);
        self.next = self.next.max(oldest);
        while self.next < head {
            let place = self.next as usize * BYTES % ring.len();
            let ready = (head - self.next) as usize * BYTES;
            let length = ready.min(WHOLE_WRITE).min(ring.len() - place);
            match self.pipe.write(&ring[place..place + length]) {
                Ok(written) => self.next += (written / BYTES) as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}
