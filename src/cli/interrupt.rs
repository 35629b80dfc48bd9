//! Signals that ask a long run to stop and to show what it has.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether, and by which signal, the run was asked to stop.
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// What asks a run to stop that may go on without its terminal: under `nohup` a hangup is to be ignored.
    pub const USUAL: [i32; 2] = [SIGINT, SIGTERM];

    /// From now on the first of `signals` only asks; a second one ends the program at once.
    pub fn listen(signals: &[i32]) -> io::Result<Self> {
        let (asked, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for &signal in signals {
            flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
            flag::register(signal, asked.clone())?;
            flag::register_usize(signal, number.clone(), signal as usize)?;
        }
        Ok(Self(number))
    }

    /// The number of the signal that came, if one did.
    pub fn signal(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
    }

    /// Whether to stop.
    pub fn asked(&self) -> bool {
        self.signal().is_some()
    }
}
