//! Arbitrary values survive their text and JSON forms.

use proptest::collection::vec;
use proptest::prelude::*;
use truststream_kernel::value::{decimal, jsonb, real_as_double};
use truststream_kernel::{Type, Value};

fn decimal_text() -> impl Strategy<Value = String> {
    "-?[1-9][0-9]{0,30}(\\.[0-9]{1,20})?|0\\.[0-9]{0,10}[1-9]|0|NaN|Infinity|-Infinity"
}

/// A type and a value of it.
fn scalar() -> impl Strategy<Value = (Type, Value)> {
    prop_oneof![
        any::<bool>().prop_map(|value| (Type::Bool, Value::Bool(value))),
        any::<i64>().prop_map(|value| (Type::Int8, Value::Int(value))),
        any::<i16>().prop_map(|value| (Type::Int2, Value::Int(value.into()))),
        any::<f64>().prop_map(|value| (Type::Float8, Value::Float(value))),
        any::<f32>().prop_map(|value| (Type::Float4, Value::Float(real_as_double(value)))),
        decimal_text().prop_map(|value| (Type::Numeric(None), Value::Decimal(value))),
        "[^\\x00]*".prop_map(|value| (Type::Text, Value::Text(value))),
        vec(any::<u8>(), 0..40).prop_map(|value| (Type::Bytes, Value::Bytes(value))),
        any::<u128>().prop_map(|value| (Type::Uuid, Value::Uuid(uuid::Uuid::from_u128(value)))),
        (-210_866_803_200_000_000..=i64::MAX)
            .prop_map(|value| (Type::Timestamptz, Value::Timestamptz(value))),
        Just((Type::Timestamptz, Value::Timestamptz(i64::MIN))),
        (-210_866_803_200_000_000..=i64::MAX).prop_map(|value| (Type::Timestamp, Value::Timestamp(value))),
        (-2_440_588..=2_145_042_905).prop_map(|value| (Type::Date, Value::Date(value))),
        prop_oneof![Just(i32::MIN), Just(i32::MAX)].prop_map(|value| (Type::Date, Value::Date(value))),
        (0..=86_400_000_000i64).prop_map(|value| (Type::Time, Value::Time(value))),
        (any::<i32>(), any::<i32>(), any::<i64>())
            .prop_map(|(months, days, micros)| (Type::Interval, Value::Interval { months, days, micros })),
    ]
}

fn typed() -> impl Strategy<Value = (Type, Value)> {
    prop_oneof![
        4 => scalar(),
        1 => vec(scalar(), 0..6).prop_map(|pairs| {
            let ty = pairs.first().map_or(Type::Text, |(ty, _)| ty.clone());
            let elements = pairs
                .into_iter()
                .map(|(other, value)| if other == ty { value } else { Value::Null })
                .collect();
            (Type::Array(Box::new(ty)), Value::Array(elements))
        }),
    ]
}

/// The same value; NaN is itself, and -0 is not 0.
fn same(left: &Value, right: &Value) -> bool {
    let bytes = |value: &Value| {
        let mut out = Vec::new();
        value.write_canonical(&mut out);
        out
    };
    bytes(left) == bytes(right)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_round_trips((ty, value) in typed()) {
        let text = value.to_text_as(&ty).unwrap();
        let back = Value::parse(&ty, &text).unwrap();
        prop_assert!(same(&back, &value), "{value:?} became {text:?} became {back:?}");
    }

    #[test]
    fn json_round_trips((ty, value) in typed()) {
        let json = value.to_json_as(&ty);
        serde_json::from_str::<serde::de::IgnoredAny>(&json).unwrap();
        let back = Value::from_json(&ty, &json).unwrap();
        prop_assert!(same(&back, &value), "{value:?} became {json} became {back:?}");
    }

    #[test]
    fn nothing_panics(ty in scalar().prop_map(|(ty, _)| ty), text in "\\PC*") {
        let _ = Value::parse(&ty, &text);
        let _ = Value::from_json(&ty, &text);
        let _ = Value::parse(&Type::Array(Box::new(ty)), &text);
        let _ = jsonb::normalize(&text);
    }

    #[test]
    fn nothing_panics_on_almost_dates(text in "[-+0-9:.TZ/ PYMDHSjanecbx,]{0,24}") {
        for ty in [Type::Timestamptz, Type::Date, Type::Time, Type::Interval, Type::Numeric(Some((4, 2)))] {
            let _ = Value::parse(&ty, &text);
        }
    }

    #[test]
    fn decimals_compare_as_their_values(left in any::<i64>(), right in any::<i64>(), scale in 0usize..6) {
        let shifted = |value: i64| {
            let negative = if value < 0 { "-" } else { "" };
            let digits = format!("{:0>1$}", value.unsigned_abs(), scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            if scale == 0 { format!("{negative}{whole}") } else { format!("{negative}{whole}.{fraction}") }
        };
        prop_assert_eq!(decimal::compare(&shifted(left), &shifted(right)), left.cmp(&right));
        let longer = format!("{}{}", shifted(left), if scale == 0 { ".00" } else { "00" });
        let left = shifted(left);
        prop_assert_eq!(decimal::compare(&longer, &left), std::cmp::Ordering::Equal);
        prop_assert_eq!(decimal::normal(&longer), decimal::normal(&left));
    }

    #[test]
    fn jsonb_normal_form_is_stable(text in json_text()) {
        let once = jsonb::normalize(&text).unwrap();
        prop_assert_eq!(jsonb::normalize(&once).unwrap(), once);
    }
}

#[test]
fn deep_nesting_is_refused_not_fatal() {
    let deep = "[".repeat(200_000);
    let closed = format!("{deep}{}", "]".repeat(200_000));
    let ints = Type::Array(Box::new(Type::Int4));
    for text in [&deep, &closed] {
        assert!(Value::from_json(&Type::Jsonb, text).is_err());
        assert!(Value::from_json(&ints, text).is_err());
        assert!(Value::parse(&ints, &text.replace('[', "{")).is_err());
    }
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        decimal_text().prop_filter("numbers only", |text| text.ends_with(|c: char| c.is_ascii_digit())),
        "[^\\x00]{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" ,"))),
            vec(("[a-c]{0,3}", inner), 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}
