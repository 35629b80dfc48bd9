//! What sound cards deliver, as numbers of one kind.

use cpal::{I24, U24};

/// A sample as a device delivers it.
pub trait Pcm: Copy + Send + 'static {
    /// Its value, full scale being 1. Floats keep theirs, finite or not.
    fn value(self) -> f32;
}

macro_rules! integers {
    ($($type:ty: $zero:expr, $scale:expr;)*) => {$(
        impl Pcm for $type {
            fn value(self) -> f32 {
                ((self as f64 - $zero) / $scale) as f32
            }
        }
    )*};
}

integers! {
    i8: 0.0, 128.0;
    u8: 128.0, 128.0;
    i16: 0.0, 32_768.0;
    u16: 32_768.0, 32_768.0;
    i32: 0.0, 2_147_483_648.0;
    u32: 2_147_483_648.0, 2_147_483_648.0;
    i64: 0.0, 9_223_372_036_854_775_808.0;
    u64: 9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0;
}

// A driver may leave anything in the fourth byte.
impl Pcm for I24 {
    fn value(self) -> f32 {
        (self.inner() << 8).value()
    }
}

impl Pcm for U24 {
    fn value(self) -> f32 {
        ((self.inner() as u32) << 8).value()
    }
}

impl Pcm for f32 {
    fn value(self) -> f32 {
        self
    }
}

impl Pcm for f64 {
    fn value(self) -> f32 {
        self as f32
    }
}
