//! Numbers and truth values from text, without allocation.

use crate::fault::Reason;

/// Reads a whole number of 32 bits.
pub(crate) fn int(text: &[u8]) -> Result<i32, Reason> {
    i32::try_from(bigint(text)?).map_err(|_| Reason::OutOfRange)
}

/// Reads a whole number of 64 bits: an optional sign and digits.
pub(crate) fn bigint(text: &[u8]) -> Result<i64, Reason> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return Err(Reason::NotANumber);
    }
    if digits.len() > 18 {
        return long_bigint(negative, digits);
    }
    let mut value = 0_i64; // at most 18 digits: no overflow
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Reason::NotANumber);
        }
        value = value * 10 + i64::from(digit);
    }
    Ok(if negative { -value } else { value })
}

#[cold]
fn long_bigint(negative: bool, digits: &[u8]) -> Result<i64, Reason> {
    let magnitude = unsigned(0, digits)?;
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value).map_err(|_| Reason::OutOfRange)
}

/// Reads a finite floating-point number; `nan` and `inf` are no numbers here.
pub(crate) fn double(text: &[u8]) -> Result<f64, Reason> {
    let (_, magnitude) = split_sign(text);
    if !magnitude.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return Err(Reason::NotANumber);
    }
    let value = lexical_core::parse::<f64>(text).map_err(|_| Reason::NotANumber)?;
    if value.is_finite() { Ok(value) } else { Err(Reason::OutOfRange) }
}

/// Reads a decimal number as a whole number of `10^-scale`; zeros beyond the scale are accepted.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: i8) -> Result<i128, Reason> {
    let (negative, magnitude) = split_sign(text);
    let (whole, fraction) = match memchr::memchr(b'.', magnitude) {
        Some(point) => (&magnitude[..point], &magnitude[point + 1..]),
        None => (magnitude, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Reason::NotANumber);
    }
    let kept = usize::from(scale.unsigned_abs());
    let (fraction, beyond) = fraction.split_at(fraction.len().min(kept));
    if !whole.iter().chain(fraction).chain(beyond).all(u8::is_ascii_digit) {
        return Err(Reason::NotANumber);
    }
    if beyond.iter().any(|byte| *byte != b'0') {
        return Err(Reason::TooManyDecimals);
    }
    let digits = unsigned(unsigned(0, whole)?, fraction)?;
    let value = (fraction.len()..kept).try_fold(digits, |value, _| value.checked_mul(10)).ok_or(Reason::OutOfRange)?;
    let limit = 10_i128.checked_pow(u32::from(precision)).ok_or(Reason::OutOfRange)?;
    if value >= limit {
        return Err(Reason::OutOfRange);
    }
    Ok(if negative { -value } else { value })
}

/// Reads a truth value in the spellings that programs write, whatever the case.
pub(crate) fn boolean(text: &[u8]) -> Result<bool, Reason> {
    let is = |word: &&[u8]| text.eq_ignore_ascii_case(word);
    if [&b"true"[..], b"t", b"yes", b"y", b"1"].iter().any(is) {
        Ok(true)
    } else if [&b"false"[..], b"f", b"no", b"n", b"0"].iter().any(is) {
        Ok(false)
    } else {
        Err(Reason::NotABoolean)
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Appends decimal digits to a number that is not negative.
fn unsigned(start: i128, digits: &[u8]) -> Result<i128, Reason> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::NotANumber);
    }
    let append = |value: i128, byte: &u8| value.checked_mul(10)?.checked_add(i128::from(byte - b'0'));
    digits.iter().try_fold(start, append).ok_or(Reason::OutOfRange)
}
