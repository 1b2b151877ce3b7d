//! Arithmetic of PostgreSQL's `numeric`: exact, with as many digits behind the point as PostgreSQL gives its
//! results.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use num_bigint::{BigInt, Sign};
use truststream_kernel::value::decimal;
use truststream_kernel::{Error, ErrorKind, Result};

/// Digits of a quotient that count, at least.
const SIGNIFICANT: i64 = 16;
/// Digits that a quotient has behind the point, at most.
const MAX_SCALE: i64 = 1000;

/// A finite decimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numeric {
    /// Its digits as a whole number.
    mantissa: BigInt,
    /// How many of them stand behind the point.
    scale: u32,
}

impl Numeric {
    /// Reads a decimal in any of the ways `numeric` takes.
    ///
    /// # Errors
    /// SQLSTATE 22P02 if it is none; `Unsupported` for `NaN` and the infinities.
    pub fn read(text: &str) -> Result<Self> {
        let canonical = decimal::canonical(text)?;
        let scale = canonical.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits: String = canonical.chars().filter(|digit| *digit != '.').collect();
        let mantissa = digits.parse().map_err(|_| Error::unsupported("arithmetic with NaN and infinity"))?;
        // `numeric` holds 16,383 digits behind the point.
        Ok(Numeric { mantissa, scale: u32::try_from(scale).unwrap_or(u32::MAX) })
    }

    /// PostgreSQL's text form.
    ///
    /// # Errors
    /// SQLSTATE 22003 if it has more digits than `numeric` holds.
    pub fn write(&self) -> Result<String> {
        let scale = self.scale as usize;
        let digits = self.mantissa.magnitude().to_string();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.mantissa.sign() == Sign::Minus { "-" } else { "" };
        decimal::canonical(&format!("{sign}{whole}.{fraction}"))
    }

    /// The quotient, rounded half away from zero.
    ///
    /// # Errors
    /// SQLSTATE 22012 for a divisor that is 0.
    pub fn over(&self, divisor: &Self) -> Result<Self> {
        divisor.is_divisor()?;
        let scale = self.quotient_scale(divisor);
        let (over, under) =
            (&self.mantissa * ten_to(scale + divisor.scale), &divisor.mantissa * ten_to(self.scale));
        let (mut mantissa, rest) = (&over / &under, &over % &under);
        if rest.magnitude() * 2_u32 >= *under.magnitude() {
            mantissa += if over.sign() == under.sign() { 1 } else { -1 };
        }
        Ok(Numeric { mantissa, scale })
    }

    /// What is left of a division into whole numbers; it has this number's sign.
    ///
    /// # Errors
    /// SQLSTATE 22012 for a divisor that is 0.
    pub fn modulo(&self, divisor: &Self) -> Result<Self> {
        divisor.is_divisor()?;
        let scale = self.scale.max(divisor.scale);
        Ok(Numeric { mantissa: self.at(scale) % divisor.at(scale), scale })
    }

    fn is_divisor(&self) -> Result<()> {
        match self.mantissa.sign() {
            Sign::NoSign => Err(division_by_zero()),
            Sign::Minus | Sign::Plus => Ok(()),
        }
    }

    /// As `select_div_scale` of PostgreSQL's `numeric.c` chooses it.
    fn quotient_scale(&self, divisor: &Self) -> u32 {
        let (weight, first) = self.leading();
        let (other, other_first) = divisor.leading();
        let weight = weight - other - i64::from(first <= other_first);
        let least = i64::from(self.scale.max(divisor.scale));
        let scale = (SIGNIFICANT - weight * 4).max(least).min(MAX_SCALE);
        u32::try_from(scale).unwrap_or(0)
    }

    /// Weight and value of the first digit that is not 0, written with the base 10,000.
    fn leading(&self) -> (i64, u32) {
        let text = self.mantissa.magnitude().to_string();
        if text == "0" {
            return (0, 0);
        }
        let point = text.len() as i64 - i64::from(self.scale);
        let weight = (point - 1).div_euclid(4);
        let width = (point - weight * 4) as usize;
        (weight, format!("{text:0<4}")[..width].parse().unwrap_or(0))
    }

    /// The mantissa with more digits behind the point.
    fn at(&self, scale: u32) -> BigInt {
        &self.mantissa * ten_to(scale - self.scale)
    }
}

fn ten_to(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// What PostgreSQL says of a divisor that is 0.
pub(crate) fn division_by_zero() -> Error {
    Error::new(ErrorKind::InvalidInput, "22012", "division by zero")
}

impl From<i64> for Numeric {
    fn from(number: i64) -> Self {
        Numeric { mantissa: BigInt::from(number), scale: 0 }
    }
}

impl Add for &Numeric {
    type Output = Numeric;

    fn add(self, other: &Numeric) -> Numeric {
        let scale = self.scale.max(other.scale);
        Numeric { mantissa: self.at(scale) + other.at(scale), scale }
    }
}

impl AddAssign<&Numeric> for Numeric {
    fn add_assign(&mut self, other: &Numeric) {
        // What is added up has one scale, most often.
        if self.scale == other.scale {
            self.mantissa += &other.mantissa;
        } else {
            *self = &*self + other;
        }
    }
}

impl Neg for &Numeric {
    type Output = Numeric;

    fn neg(self) -> Numeric {
        Numeric { mantissa: -&self.mantissa, scale: self.scale }
    }
}

impl Sub for &Numeric {
    type Output = Numeric;

    fn sub(self, other: &Numeric) -> Numeric {
        self + &-other
    }
}

impl Mul for &Numeric {
    type Output = Numeric;

    fn mul(self, other: &Numeric) -> Numeric {
        Numeric { mantissa: &self.mantissa * &other.mantissa, scale: self.scale + other.scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Numeric {
        Numeric::read(text).unwrap()
    }

    fn quotient(one: &str, other: &str) -> String {
        number(one).over(&number(other)).unwrap().write().unwrap()
    }

    // Every result as PostgreSQL 15 prints it.
    #[test]
    fn quotients_have_postgres_own_scale() {
        assert_eq!(quotient("1", "3"), "0.33333333333333333333");
        assert_eq!(quotient("2", "3"), "0.66666666666666666667");
        assert_eq!(quotient("-7", "2.00"), "-3.5000000000000000");
        assert_eq!(quotient("10", "4"), "2.5000000000000000");
        assert_eq!(quotient("100000", "7"), "14285.714285714286");
        assert_eq!(quotient("0.0001", "2"), "0.000050000000000000000000");
        assert_eq!(quotient("0", "5"), "0.00000000000000000000");
        assert_eq!(quotient("12345678901234567891.1", "2"), "6172839450617283945.6");
        assert_eq!(quotient("9999.5", "3"), "3333.1666666666666667");
        assert_eq!(quotient("10000", "9999.0"), "1.0001000100010001");
        assert_eq!(quotient("1e-30", "7"), "0.000000000000000000000000000000142857142857142857");
        assert_eq!(number("1").over(&number("0.0")).unwrap_err().code(), "22012");
    }

    #[test]
    fn sums_products_and_rests_are_exact() {
        let shown = |number: Numeric| number.write().unwrap();
        assert_eq!(shown(&number("0.1") + &number("0.20")), "0.30");
        assert_eq!(shown(&number("-0.5") - &number("0.5")), "-1.0");
        assert_eq!(shown(&number("1.5") * &number("-1.50")), "-2.250");
        assert_eq!(shown(number("-7.5").modulo(&number("2")).unwrap()), "-1.5");
        assert_eq!(shown(&number("5") - &number("5.00")), "0.00");
        let mut sum = number("1.5");
        ["2.5", "0.25", "-0.25"].iter().for_each(|text| sum += &number(text));
        assert_eq!(shown(sum), "4.00");
    }
}
