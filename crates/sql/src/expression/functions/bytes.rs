//! Bytes as texts and back, in the forms PostgreSQL has names for.

use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::text;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// PostgreSQL breaks lines of base64 here.
const LINE: usize = 76;

fn unknown(form: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22023", format!("unrecognized encoding: \"{form}\""))
}

pub(super) fn encode(arguments: &[Value]) -> Result<Value> {
    let Some(Value::Bytes(bytes)) = arguments.first() else {
        return Err(Error::internal("a function was called with something else than bytes"));
    };
    let encoded = match text(arguments, 1)?.to_ascii_lowercase().as_str() {
        "hex" => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        "base64" => base64(bytes),
        "escape" => escaped(bytes),
        other => return Err(unknown(other)),
    };
    Ok(Value::Text(encoded))
}

pub(super) fn decode(arguments: &[Value]) -> Result<Value> {
    let given = text(arguments, 0)?;
    let decoded = match text(arguments, 1)?.to_ascii_lowercase().as_str() {
        "hex" => from_hex(given),
        "base64" => from_base64(given),
        other => return Err(unknown(other)),
    };
    decoded.map(Value::Bytes)
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 4);
    let mut column = 0;
    for chunk in bytes.chunks(3) {
        if column == LINE {
            out.push('\n');
            column = 0;
        }
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sign = BASE64[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(sign) } else { '=' });
        }
        column += 4;
    }
    out
}

/// What is no printable ASCII as `\ooo`, and a backslash twice.
fn escaped(bytes: &[u8]) -> String {
    let sign = |byte: &u8| match byte {
        b'\\' => "\\\\".to_owned(),
        0 | 128.. => format!("\\{byte:03o}"),
        _ => char::from(*byte).to_string(),
    };
    bytes.iter().map(sign).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for sign in text.chars().filter(|sign| !sign.is_ascii_whitespace()) {
        let digit = sign.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "22023", format!("invalid hexadecimal digit: \"{sign}\""))
        })?;
        digits.push(digit);
    }
    if digits.len() % 2 == 1 {
        let message = "invalid hexadecimal data: odd number of digits";
        return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let (mut out, mut bits, mut count, mut ended) = (Vec::new(), 0_u32, 0, 0);
    for sign in text.bytes().filter(|sign| !sign.is_ascii_whitespace()) {
        let value = match BASE64.iter().position(|one| *one == sign) {
            Some(value) if ended == 0 => value,
            None if sign == b'=' && count >= 2 => {
                ended += 1;
                0
            }
            _ => {
                if sign == b'=' && ended == 0 {
                    let message = "unexpected \"=\" while decoding base64 sequence";
                    return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
                }
                let message =
                    format!("invalid symbol \"{}\" found while decoding base64 sequence", char::from(sign));
                return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
            }
        };
        bits = bits << 6 | u32::try_from(value).unwrap_or_default();
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..4 - ended.min(2)]);
            (bits, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(Error::new(ErrorKind::InvalidInput, "22023", "invalid base64 end sequence")
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}
