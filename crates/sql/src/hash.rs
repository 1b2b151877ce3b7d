//! PostgreSQL's hashes of values, which decide the partition of a row that goes by one: Bob Jenkins's function
//! as `src/common/hashfn.c` has it, on the values as `hashfunc.c` hands them over.

use truststream_kernel::{Error, Type, Value};

/// What `partition by hash` begins with (`HASH_PARTITION_SEED`).
const SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// Microseconds and days from 1970, where values begin, to 2000, where PostgreSQL's do.
const MICROS: i64 = 946_684_800_000_000;
const DAYS: i32 = 10_957;

/// Whether values of a type have hashes here.
pub fn is_hashed(ty: &Type) -> bool {
    use Type::{
        Bool, Bytes, Date, Int2, Int4, Int8, Numeric, Text, Time, Timestamp, Timestamptz, Uuid, Varchar,
    };
    matches!(
        ty,
        Bool | Int2
            | Int4
            | Int8
            | Numeric(_)
            | Text
            | Varchar(_)
            | Bytes
            | Uuid
            | Date
            | Time
            | Timestamp
            | Timestamptz
    )
}

/// The error of partitions that go by a column whose values have none.
pub fn unknown(column: &str) -> Error {
    Error::unsupported(format!("what the hash of column \"{column}\" is only PostgreSQL knows"))
}

/// The hash of a value; `None` for null, and for values of types that have none here.
pub fn of(value: &Value) -> Option<u64> {
    let moment = |micros: i64| match micros {
        i64::MIN | i64::MAX => of_integer(micros),
        _ => of_integer(micros.wrapping_sub(MICROS)),
    };
    Some(match value {
        Value::Bool(value) => of_integer((*value).into()),
        Value::Int(number) => of_integer(*number),
        Value::Decimal(text) => of_decimal(text),
        Value::Text(text) => of_bytes(text.as_bytes()),
        Value::Bytes(bytes) => of_bytes(bytes),
        Value::Uuid(uuid) => of_bytes(uuid.as_bytes()),
        Value::Date(i32::MIN) => of_integer(i32::MIN.into()),
        Value::Date(i32::MAX) => of_integer(i32::MAX.into()),
        Value::Date(days) => of_integer(days.wrapping_sub(DAYS).into()),
        Value::Timestamp(micros) | Value::Timestamptz(micros) => moment(*micros),
        Value::Time(micros) => of_integer(*micros),
        _ => return None,
    })
}

/// What the hashes of a row's deciding values leave; those of nulls are left out.
pub fn remainder(hashes: impl IntoIterator<Item = Option<u64>>, modulus: u64) -> u64 {
    let combined = |row: u64, hash: u64| {
        let mixed = hash.wrapping_add(0x49A0_F4DD_15E5_A8E3).wrapping_add(row << 54).wrapping_add(row >> 7);
        row ^ mixed
    };
    hashes.into_iter().flatten().fold(0, combined) % modulus.max(1)
}

/// Integers of all widths have one hash.
fn of_integer(number: i64) -> u64 {
    let bits = number.cast_unsigned();
    let high = if number >= 0 { bits >> 32 } else { !bits >> 32 };
    let mut state = State::new(4);
    state.a = state.a.wrapping_add(low(bits ^ high));
    state.end()
}

/// Decimals go by their digits in fours, without zeros around them, and by where the first four stand; signs and
/// scales are left out.
fn of_decimal(text: &str) -> u64 {
    let text = text.trim_start_matches('-');
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return SEED;
    }
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let pad = |length: usize| "0".repeat(length.next_multiple_of(4) - length);
    let digits = [pad(whole.len()), whole.to_owned(), rest.to_owned(), pad(rest.len())].concat();
    let fours: Vec<u16> = digits
        .as_bytes()
        .chunks(4)
        .map(|four| four.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
        .collect();
    let Some(first) = fours.iter().position(|four| *four != 0) else { return SEED.wrapping_sub(1) };
    let last = fours.iter().rposition(|four| *four != 0).unwrap_or(first);
    let bytes: Vec<u8> = fours[first..=last].iter().flat_map(|four| four.to_le_bytes()).collect();
    let place = (whole.len().div_ceil(4) as i64) - 1 - (first as i64);
    of_bytes(&bytes) ^ place.cast_unsigned()
}

fn of_bytes(bytes: &[u8]) -> u64 {
    let mut state = State::new(low(bytes.len() as u64));
    let mut chunks = bytes.chunks_exact(12);
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    for chunk in chunks.by_ref() {
        state.add(word(&chunk[..4]), word(&chunk[4..8]), word(&chunk[8..]));
        state.mix();
    }
    let rest = chunks.remainder();
    let part = |from: usize| word(rest.get(from..rest.len().min(from + 4)).unwrap_or_default());
    // The lowest byte of the third word is kept for the length.
    state.add(part(0), part(4), part(8) << 8);
    state.end()
}

fn low(bits: u64) -> u32 {
    (bits & u64::from(u32::MAX)) as u32
}

struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    fn new(length: u32) -> Self {
        let start = 0x9E37_79B9_u32.wrapping_add(length).wrapping_add(3_923_095);
        let mut state = State { a: start, b: start, c: start };
        state.add(low(SEED >> 32), low(SEED), 0);
        state.mix();
        state
    }

    fn add(&mut self, a: u32, b: u32, c: u32) {
        self.a = self.a.wrapping_add(a);
        self.b = self.b.wrapping_add(b);
        self.c = self.c.wrapping_add(c);
    }

    fn mix(&mut self) {
        let State { a, b, c } = self;
        let step = |one: &mut u32, other: &mut u32, third: u32, turn: u32| {
            *one = one.wrapping_sub(*other) ^ other.rotate_left(turn);
            *other = other.wrapping_add(third);
        };
        step(a, c, *b, 4);
        step(b, a, *c, 6);
        step(c, b, *a, 8);
        step(a, c, *b, 16);
        step(b, a, *c, 19);
        step(c, b, *a, 4);
    }

    fn end(self) -> u64 {
        let State { mut a, mut b, mut c } = self;
        let step = |one: &mut u32, other: u32, turn: u32| {
            *one = (*one ^ other).wrapping_sub(other.rotate_left(turn));
        };
        step(&mut c, b, 14);
        step(&mut a, c, 11);
        step(&mut b, a, 25);
        step(&mut c, b, 16);
        step(&mut a, c, 4);
        step(&mut b, a, 14);
        step(&mut c, b, 24);
        u64::from(b) << 32 | u64::from(c)
    }
}
