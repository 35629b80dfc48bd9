//! Vector instructions for sums of products of 16-bit integers.

use pulp::{Arch, Scalar256b, Simd, cast, i32x8};

/// Vectors of 32 bits, each of which may hold two integers of 16.
pub trait IntegerSimd: Simd {
    /// `sums`, and to each the products of a pair of integers in `a` with that in `b`. They must not overflow.
    fn multiply_add(self, sums: Self::i32s, a: Self::i32s, b: Self::i32s) -> Self::i32s;
    /// The same numbers, rounded.
    fn to_f32s(self, integers: Self::i32s) -> Self::f32s;
}

/// Work that runs on the machine's instructions.
pub trait WithIntegerSimd {
    /// Works with those of `simd`.
    fn with<S: IntegerSimd>(self, simd: S);
}

/// Runs `work` with the instructions of `arch`.
#[inline(always)]
pub fn dispatch(arch: Arch, work: impl WithIntegerSimd) {
    match arch {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(simd) => x86::wide(simd, work),
        #[cfg(target_arch = "x86_64")]
        Arch::V3(simd) => simd.vectorize(x86::Work(simd, work)),
        #[expect(clippy::allow_attributes, reason = "reachable where there are other instructions")]
        #[allow(unreachable_patterns, reason = "not reachable where there are no others")]
        _ => work.with(Scalar256b),
    }
}

/// Whatever the compiler has for eight lanes.
impl IntegerSimd for Scalar256b {
    #[inline(always)]
    fn multiply_add(self, sums: i32x8, a: i32x8, b: i32x8) -> i32x8 {
        let [mut sums, a, b]: [[i32; 8]; 3] = [sums, a, b].map(cast);
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            let ([a0, a1], [b0, b1]): ([i16; 2], [i16; 2]) = (cast(a), cast(b));
            *sum += i32::from(a0) * i32::from(b0) + i32::from(a1) * i32::from(b1);
        }
        cast(sums)
    }

    #[inline(always)]
    fn to_f32s(self, integers: i32x8) -> Self::f32s {
        let integers: [i32; 8] = cast(integers);
        cast(integers.map(|integer| integer as f32))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
pub use x86::without_vnni;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::x86::{V3, V4};
    use pulp::{NullaryFnOnce, Simd, cast, i32x8, i32x16};

    use super::{IntegerSimd, WithIntegerSimd};

    impl IntegerSimd for V3 {
        #[inline(always)]
        fn multiply_add(self, sums: i32x8, a: i32x8, b: i32x8) -> i32x8 {
            self.add_i32s(sums, cast(self.avx2._mm256_madd_epi16(cast(a), cast(b))))
        }

        #[inline(always)]
        fn to_f32s(self, integers: i32x8) -> Self::f32s {
            cast(self.avx._mm256_cvtepi32_ps(cast(integers)))
        }
    }

    impl IntegerSimd for V4 {
        #[inline(always)]
        fn multiply_add(self, sums: i32x16, a: i32x16, b: i32x16) -> i32x16 {
            self.add_i32s(sums, cast(self.avx512bw._mm512_madd_epi16(cast(a), cast(b))))
        }

        #[inline(always)]
        fn to_f32s(self, integers: i32x16) -> Self::f32s {
            cast(self.avx512f._mm512_cvtepi32_ps(cast(integers)))
        }
    }

    pulp::simd_type!({
        /// [`V4`] with one instruction for both steps, which the compiler puts in their place.
        struct Vnni {
            avx512f: f!("avx512f"),
            avx512bw: f!("avx512bw"),
            avx512cd: f!("avx512cd"),
            avx512dq: f!("avx512dq"),
            avx512vl: f!("avx512vl"),
            avx512vnni: f!("avx512vnni"),
            bmi1: f!("bmi1"),
            bmi2: f!("bmi2"),
            fma: f!("fma"),
            lzcnt: f!("lzcnt"),
            popcnt: f!("popcnt"),
        }
    });

    #[inline(always)]
    pub fn wide(simd: V4, work: impl WithIntegerSimd) {
        match Vnni::try_new() {
            Some(vnni) => vnni.vectorize(Work(simd, work)),
            None => simd.vectorize(Work(simd, work)),
        }
    }

    /// [`wide`] without VNNI, on a machine that has it.
    #[cfg(test)]
    pub fn without_vnni(simd: V4, work: impl WithIntegerSimd) {
        simd.vectorize(Work(simd, work));
    }

    /// Work, with its instructions.
    pub struct Work<S, W>(pub S, pub W);

    impl<S: IntegerSimd, W: WithIntegerSimd> NullaryFnOnce for Work<S, W> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.1.with(self.0);
        }
    }
}
