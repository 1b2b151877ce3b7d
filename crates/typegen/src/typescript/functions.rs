//! Functions: what they are called with and what comes back.

use truststream_services::database::Function;
use truststream_sql::computed;
use truststream_sql::schema::columns_of_result;

use super::text::{Out, key, quoted};
use super::values::Values;
use crate::shape;

pub(super) fn functions(out: &mut Out, values: &Values<'_>, schema: &str) {
    let found = shape::functions(values.catalog, schema);
    out.members("Functions", found.is_empty(), |out| {
        for (name, overloads) in found {
            match overloads.as_slice() {
                [only] => {
                    out.open(&format!("{}: {{", key(name)));
                    one(out, values, only);
                    out.close("}");
                }
                several => {
                    out.open(&format!("{}:", key(name)));
                    for function in several {
                        out.open("| {");
                        one(out, values, function);
                        out.close("}");
                    }
                    out.dedent();
                }
            }
        }
    });
}

fn one(out: &mut Out, values: &Values<'_>, function: &Function) {
    let origin = computed::table_of(values.catalog, function);
    let arguments: Vec<String> = match &origin {
        // PostgREST calls it for each row of the table; supabase-js knows it by the unnamed argument.
        Some(table) => vec![format!("\"\": {}", values.row(table))],
        None => function
            .parameters
            .iter()
            .map(|parameter| {
                let optional = if parameter.required && !parameter.variadic { "" } else { "?" };
                format!("{}{optional}: {}", key(&parameter.name), values.named(&parameter.type_name))
            })
            .collect(),
    };
    if arguments.is_empty() {
        out.line("Args: never");
    } else {
        out.line(&format!("Args: {{ {} }}", arguments.join("; ")));
    }
    out.line(&format!("Returns: {}", returns(values, function)));
    if let Some(to) = &function.returns.table {
        let from = origin.map_or_else(|| "*".to_owned(), |table| table.name);
        let one = !function.returns.set || function.returns.one_row;
        out.open("SetofOptions: {");
        out.line(&format!("from: {}", quoted(&from)));
        out.line(&format!("to: {}", quoted(&to.name)));
        out.line(&format!("isOneToOne: {one}"));
        out.line(&format!("isSetofReturn: {}", function.returns.set));
        out.close("}");
    }
}

fn returns(values: &Values<'_>, function: &Function) -> String {
    let returns = &function.returns;
    let (row, many) = match (&returns.table, columns_of_result(values.catalog, &returns.type_name)) {
        (Some(table), _) => (values.row(table), returns.set),
        (None, Some(columns)) => {
            let mut fields: Vec<_> =
                columns.iter().map(|(name, ty)| format!("{}: {}", key(name), values.of(ty))).collect();
            fields.sort();
            (format!("{{ {} }}", fields.join("; ")), true)
        }
        (None, None) => (values.named(&returns.type_name), returns.set),
    };
    match many {
        true if row.contains(" | ") && !row.starts_with('{') => format!("({row})[]"),
        true => format!("{row}[]"),
        false => row,
    }
}
