//! Functions and triggers.

use truststream_services::database::{Catalog, Function, Parameter, Table, TableKind, TableName, Trigger};

use super::name::{name, names, relation};
use super::{Kind, Object};
use crate::quote::literal;

/// A function's name with the types of its parameters.
pub fn signature(function: &Function) -> String {
    let types: Vec<_> = function.parameters.iter().map(|parameter| parameter.type_name.as_str()).collect();
    format!("{}({})", relation(&function.name), types.join(", "))
}

/// What a procedure returns, where a schema was found that has some.
pub const PROCEDURE: &str = "procedure";

/// A function as statements name it: `function add(integer, integer)`.
pub fn routine(function: &Function) -> String {
    let is_procedure = function.returns.type_name.starts_with(PROCEDURE);
    format!("{} {}", if is_procedure { PROCEDURE } else { "function" }, signature(function))
}

pub(super) fn functions(catalog: &Catalog) -> Vec<Object> {
    let one = |function: &Function| {
        let routine = routine(function);
        let parameters: Vec<_> = function.parameters.iter().map(parameter).collect();
        let head = format!(
            "{}({})\n  returns {}",
            relation(&function.name),
            parameters.join(", "),
            returns(function)
        );
        let create = format!("create or replace function {head}{}", body(function));
        let drop = format!("drop {routine}");
        let made = Object::new(Kind::Function, &function.name.schema, routine, create, drop);
        Object { head: Some(head), ..made }
    };
    catalog.functions.iter().map(one).collect()
}

fn parameter(parameter: &Parameter) -> String {
    let mut text = if parameter.variadic { "variadic ".to_owned() } else { String::new() };
    if !parameter.name.is_empty() {
        text.push_str(&format!("{} ", name(&parameter.name)));
    }
    text.push_str(&parameter.type_name);
    if let Some(default) = &parameter.default {
        text.push_str(&format!(" default {default}"));
    }
    text
}

fn returns(function: &Function) -> String {
    let returns = &function.returns;
    let is_table = returns.type_name.to_lowercase().starts_with("table(");
    match returns.set && !is_table {
        true => format!("setof {}", returns.type_name),
        false => returns.type_name.clone(),
    }
}

fn body(function: &Function) -> String {
    let mut text = format!("\n  language {}", name(&function.language));
    if function.reads_only {
        text.push_str(" stable");
    }
    if function.strict {
        text.push_str(" strict");
    }
    if function.security_definer {
        text.push_str(" security definer");
    }
    if function.returns.one_row {
        text.push_str(" rows 1");
    }
    if let Some(level) = &function.isolation {
        text.push_str(&format!(" set default_transaction_isolation = {}", literal(level)));
    }
    let body = function.body.as_deref().unwrap_or_default();
    let mut mark = "$$".to_owned();
    while body.contains(&mark) {
        mark = format!("${}$", "_".repeat(mark.len() - 1));
    }
    format!("{text}\nas {mark}{body}{mark}")
}

pub(super) fn triggers(table: &TableName, definition: &Table) -> Vec<Object> {
    let instead = definition.kind != TableKind::Table;
    definition.triggers.iter().map(|trigger| self::trigger(table, trigger, instead)).collect()
}

fn trigger(table: &TableName, trigger: &Trigger, instead: bool) -> Object {
    let events = trigger.events.iter().map(|event| match event == "update" && !trigger.columns.is_empty() {
        true => format!("update of {}", names(&trigger.columns)),
        false => event.clone(),
    });
    let events = events.collect::<Vec<_>>().join(" or ");
    // A condition is kept with its parentheses.
    let when = trigger.condition.as_ref().map(|rule| format!("\n  when {rule}")).unwrap_or_default();
    let arguments: Vec<_> = trigger.arguments.iter().map(|argument| literal(argument)).collect();
    let create = format!(
        "create trigger {}\n  {} {events} on {}\n  for each row{when}\n  execute function {}({})",
        name(&trigger.name),
        match (instead, trigger.before) {
            (true, _) => "instead of",
            (_, true) => "before",
            _ => "after",
        },
        relation(table),
        relation(&trigger.function),
        arguments.join(", ")
    );
    let drop = format!("drop trigger {} on {}", name(&trigger.name), relation(table));
    Object::new(Kind::Trigger, &table.schema, format!("trigger {table}.{}", trigger.name), create, drop)
        .of(table)
}
