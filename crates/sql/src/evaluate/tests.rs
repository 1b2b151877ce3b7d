use truststream_kernel::{Type, Value};
use truststream_services::database::Catalog;

use super::Computed;
use crate::schema;

fn catalog(sql: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for statement in schema::parse(sql).unwrap() {
        schema::apply(&mut catalog, &statement).unwrap();
    }
    catalog
}

const COLORS: &str = "
    create domain color as int check (value >= 0 and value <= 16777215);
    create function color(text) returns color language sql as $$
      select (('x' || lpad(case when substring($1, 1, 1) = '#' then substring($1, 2) else $1 end, 8, '0'))
        ::bit(32)::int)::color
    $$;
    create function color(json) returns color language sql as $$ select color($1 #>> '{}') $$;
    create function shown(color) returns json language sql as $$
      select case when $1 is null then to_json(''::text) else to_json('#' || lpad(upper(to_hex($1)), 6, '0')) end
    $$;
    create function since(json) returns timestamptz language sql strict as $$
      select to_timestamp(($1 #>> '{}')::numeric)
    $$;
    create function seconds(timestamptz) returns json language sql as $$
      select to_json(extract(epoch from $1)::bigint)
    $$;
    create function short(given text) returns text language plpgsql as $$
    begin
      if length(given) > 3 then
        raise exception 'too long: %', given using errcode = '22023';
      end if;
      return coalesce(given, 'none');
    end $$;
    create function bytes(text) returns bytea language sql as $$
      select decode($1 || repeat('=', 4 - (length($1) % 4)), 'base64')
    $$;";

fn computed(at: usize, given: Value) -> Result<Value, String> {
    let catalog = catalog(COLORS);
    let computed = Computed::of(&catalog, &catalog.functions[at], None).map_err(|error| error.to_string())?;
    computed.value(given).map_err(|error| format!("{} {}", error.code(), error.message()))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn json(text: &str) -> Value {
    Value::Json(text.to_owned())
}

#[test]
fn functions_are_computed_as_postgres_computes_them() {
    assert_eq!(computed(0, text("#001100")), Ok(Value::Int(4352)));
    assert_eq!(computed(0, Value::Null), Ok(Value::Null));
    assert_eq!(computed(1, json("\"0000ff\"")), Ok(Value::Int(255)));
    assert_eq!(computed(1, json("255")), Ok(Value::Int(597)));
    assert_eq!(computed(2, Value::Int(255)), Ok(json("\"#0000FF\"")));
    assert_eq!(computed(2, Value::Null), Ok(json("\"\"")));
    assert_eq!(computed(3, json("1.5")), Ok(Value::Timestamptz(1_500_000)));
    assert_eq!(computed(3, Value::Null), Ok(Value::Null));
    assert_eq!(computed(4, Value::Timestamptz(1_500_000)), Ok(json("2")));
    assert_eq!(computed(5, text("abc")), Ok(text("abc")));
    assert_eq!(computed(5, Value::Null), Ok(text("none")));
    assert_eq!(computed(6, text("YWI")), Ok(Value::Bytes(b"ab".to_vec())));
}

#[test]
fn wrong_values_are_refused_with_postgres_codes() {
    let digit = "22P02 \"z\" is not a valid hexadecimal digit";
    assert_eq!(computed(0, text("zz")), Err(digit.to_owned()));
    let range = "23514 value for domain color violates check constraint \"color_check\"";
    assert_eq!(computed(0, text("ffffffff")), Err(range.to_owned()));
    assert_eq!(computed(5, text("abcd")), Err("22023 too long: abcd".to_owned()));
}

#[test]
fn what_can_not_be_computed_is_told_before_there_is_a_value() {
    let catalog = catalog(
        "create table t (id int);
         create function counted(int) returns bigint language sql as $$ select count(*) from t $$;
         create function odd(xml) returns text language sql as $$ select $1::text $$;
         create function later(text) returns text language sql as $$ select later($1, 1) $$;",
    );
    let reason = |at: usize| Computed::of(&catalog, &catalog.functions[at], None).unwrap_err();
    assert!(reason(0).reason.contains("reads tables"), "{:?}", reason(0));
    assert!(reason(1).reason.contains("not computed"), "{:?}", reason(1));
    assert_eq!(reason(2).code.as_deref(), Some("42883"));
    assert_eq!(
        Computed::of(&catalog_of_json(), &catalog_of_json().functions[0], None).unwrap().ty(),
        &Type::Json
    );
}

fn catalog_of_json() -> Catalog {
    catalog("create function f(text) returns json language sql as $$ select to_json($1) $$")
}
