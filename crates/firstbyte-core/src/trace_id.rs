//! The id that one control call carries through client, server and engine.

use std::{fmt, num::NonZeroU64, str::FromStr};

/// A non-zero 64-bit id, written as 16 lower-case hexadecimal digits.
///
/// It maps onto a W3C `trace-id` by left-padding with zeros, and back by keeping the low 64 bits.
/// Zero is no id: W3C Trace Context forbids the all-zero `trace-id`.
///
/// ```
/// use firstbyte_core::TraceId;
///
/// let id: TraceId = "00f067aa0ba902b7".parse()?;
/// assert_eq!(id.to_string(), "00f067aa0ba902b7");
/// assert_eq!(id.to_w3c(), 0x00f0_67aa_0ba9_02b7_u128);
/// # Ok::<(), firstbyte_core::InvalidTraceId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU64);

/// The text was not 16 hexadecimal digits, or all of them were zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTraceId;

impl TraceId {
    /// A random id from a per-thread generator. Ids are unique enough to join logs; they are no secrets.
    #[inline]
    #[must_use]
    pub fn random() -> Self {
        loop {
            if let Some(id) = NonZeroU64::new(fastrand::u64(..)) {
                return Self(id);
            }
        }
    }

    /// The id with this value, or `None` for zero.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        match NonZeroU64::new(value) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The low 64 bits of a W3C `trace-id`, or `None` if they are zero.
    #[must_use]
    pub const fn from_w3c(trace_id: u128) -> Option<Self> {
        Self::new(trace_id as u64)
    }

    /// The W3C `trace-id`: this id, left-padded with zeros.
    #[must_use]
    pub const fn to_w3c(self) -> u128 {
        self.get() as u128
    }

    /// Reads 16 hexadecimal digits of either case, as found in an `x-trace-id` header.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceId`] for any other length, any other byte, or the value zero.
    #[inline]
    pub fn from_hex(digits: &[u8]) -> Result<Self, InvalidTraceId> {
        if digits.len() != 16 {
            return Err(InvalidTraceId);
        }
        // One branch at the end: every control call comes through here.
        let (value, invalid) = digits.iter().fold((0_u64, 0), |(value, invalid), byte| {
            let digit = HEX[*byte as usize];
            (value << 4 | u64::from(digit & 0xf), invalid | digit)
        });
        if invalid > 0xf { None } else { Self::new(value) }.ok_or(InvalidTraceId)
    }

    /// The 16 lower-case digits, without allocating.
    #[inline]
    #[must_use]
    pub fn to_hex(self) -> [u8; 16] {
        hex(self.get())
    }
}

/// 16 lower-case hexadecimal digits.
#[inline]
pub(crate) fn hex(value: u64) -> [u8; 16] {
    // Eight digits at a time: spread the nibbles over the bytes of a word, then add '0' to each,
    // and the distance from '9' + 1 to 'a' to those above 9.
    let eight = |half: u32| {
        let mut word = u64::from(half);
        word = (word | word << 16) & 0x0000_ffff_0000_ffff;
        word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
        word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = (word + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        (word + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
    };
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&eight((value >> 32) as u32));
    digits[8..].copy_from_slice(&eight(value as u32));
    digits
}

/// The value of every hexadecimal digit; 0xff for every other byte.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// At most 32 hexadecimal digits of either case as a number.
pub(crate) fn parse_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, byte| {
        (*byte as char).to_digit(16).map(|digit| value << 4 | u128::from(digit))
    })
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.get())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        Self::from_hex(digits.as_bytes())
    }
}

impl fmt::Display for InvalidTraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace id is 16 hexadecimal digits, not all zero")
    }
}

impl std::error::Error for InvalidTraceId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip_for_every_magnitude() {
        for shift in 0..64 {
            let id = TraceId::new(0x9e37_79b9_7f4a_7c15 >> shift).unwrap();
            assert_eq!(TraceId::from_hex(&id.to_hex()), Ok(id));
            assert_eq!(id.to_string().as_bytes(), id.to_hex());
            assert_eq!(TraceId::from_w3c(id.to_w3c()), Some(id));
        }
    }

    #[test]
    fn hostile_ids_are_refused() {
        let long = "a".repeat(8192);
        for text in [
            "",
            "0000000000000000",
            "00f067aa0ba902b",
            "00f067aa0ba902b77",
            "00f067aa0ba902bg",
            "00f067aa\r\n0ba90",
            "00f067aa0ba902\0b",
            "+0f067aa0ba902b7",
            &long,
            "ÄÄÄÄÄÄÄÄ",
        ] {
            assert_eq!(text.parse::<TraceId>(), Err(InvalidTraceId), "{text:?}");
        }
    }

    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        assert_eq!("00F067AA0BA902B7".parse::<TraceId>().unwrap().to_string(), "00f067aa0ba902b7");
    }
}
