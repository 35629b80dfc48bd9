//! How samples are stored as bytes.

/// How one sample is stored, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 8 bits, unsigned.
    U8,
    /// 16 bits.
    I16,
    /// 24 bits in three bytes.
    I24,
    /// 32 bits.
    I32,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Encoding {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Appends samples scaled so that full scale is 1; floats keep their value, finite or not. Bytes that are no
    /// whole sample are left out.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        const I32_SCALE: f32 = 1.0 / 2_147_483_648.0;
        match self {
            Self::U8 => out.extend(bytes.iter().map(|&b| (f32::from(b) - 128.0) / 128.0)),
            Self::I16 => out.extend(each(bytes, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0)),
            Self::I24 => {
                out.extend(each(bytes, |[a, b, c]| i32::from_le_bytes([0, a, b, c]) as f32 * I32_SCALE));
            }
            Self::I32 => out.extend(each(bytes, |b| i32::from_le_bytes(b) as f32 * I32_SCALE)),
            Self::F32 => out.extend(each(bytes, f32::from_le_bytes)),
            // A finite f64 beyond the range of f32 has to stay finite.
            Self::F64 => out.extend(each(bytes, |b| match f64::from_le_bytes(b) {
                sample if sample.is_finite() => sample.clamp(-1.0, 1.0) as f32,
                _ => f32::NAN,
            })),
        }
    }
}

/// Maps each `N` bytes to a sample.
fn each<const N: usize>(bytes: &[u8], sample: impl Fn([u8; N]) -> f32) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<N>().0.iter().map(move |&chunk| sample(chunk))
}
